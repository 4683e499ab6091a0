"""Why a detector spoke, in French and in English: one literal table; `{…}` are the facts of a reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fwguard.model.detection import Reason
from fwguard.model.inventory import Language

EN, FR = Language.EN, Language.FR

WORDS: Final[Mapping[str, Mapping[Language, str]]] = {
    "smtp": {
        EN: "mail session: “{words}”, and replies of SMTP",
        FR: "session de courriel : « {words} », et des réponses SMTP",
    },
    "smtp-client": {
        EN: "mail session, one side seen: “{words}”",
        FR: "session de courriel, un seul côté vu : « {words} »",
    },
    "smtp-server": {EN: "mail server seen alone: “{words}”", FR: "serveur de courriel vu seul : « {words} »"},
    "smtp-tls": {
        EN: "mail over TLS to port {port}, server name {name}",
        FR: "courriel sous TLS vers le port {port}, nom du serveur {name}",
    },
    "irc": {EN: "IRC: “{said}” was answered “{replied}”", FR: "IRC : « {said} » a reçu « {replied} »"},
    "irc-link": {
        EN: "link between IRC servers: “{said}”, “{replied}”",
        FR: "liaison entre serveurs IRC : « {said} », « {replied} »",
    },
    "irc-websocket": {
        EN: "IRC over WebSocket: “{said}” was accepted",
        FR: "IRC sur WebSocket : « {said} » a été accepté",
    },
    "irc-tls": {EN: "IRC over TLS, by the name {name}", FR: "IRC sous TLS, d'après le nom {name}"},
    "irc-dcc": {
        EN: "direct connection (DCC) that {by} had negotiated over IRC",
        FR: "connexion directe (DCC) que {by} avait négociée par IRC",
    },
    "socks5": {
        EN: "SOCKS 5: methods {methods} offered, {chosen} chosen",
        FR: "SOCKS 5 : méthodes {methods} proposées, {chosen} choisie",
    },
    "socks5-refused": {
        EN: "SOCKS 5: methods {methods} offered, all refused by the proxy",
        FR: "SOCKS 5 : méthodes {methods} proposées, toutes refusées par le mandataire",
    },
    "socks4": {
        EN: "SOCKS 4: a connection to port {port} was asked for, reply {code}",
        FR: "SOCKS 4 : connexion au port {port} demandée, réponse {code}",
    },
    "socks4a": {
        EN: "SOCKS 4a: a connection by name to port {port} was asked for, reply {code}",
        FR: "SOCKS 4a : connexion par nom au port {port} demandée, réponse {code}",
    },
    "http-connect": {
        EN: "HTTP proxy: CONNECT {target} was answered “{replied}”",
        FR: "mandataire HTTP : CONNECT {target} a reçu « {replied} »",
    },
    "http-connect-alone": {
        EN: "HTTP proxy: CONNECT {target}, answer not seen",
        FR: "mandataire HTTP : CONNECT {target}, réponse non vue",
    },
    "http-absolute": {
        EN: "HTTP proxy: {target} was asked of another host, which answered “{replied}”",
        FR: "mandataire HTTP : {target} demandé à un autre hôte, qui a répondu « {replied} »",
    },
    "http-absolute-alone": {
        EN: "HTTP proxy: {target} was asked of another host, answer not seen",
        FR: "mandataire HTTP : {target} demandé à un autre hôte, réponse non vue",
    },
    "tor-certificate": {
        EN: "Tor relay: certificate of {subject} issued by {issuer}",
        FR: "relais Tor : certificat de {subject} émis par {issuer}",
    },
    "tor-hello": {
        EN: "Tor: TLS hello for {name} as Tor makes up names, taken up",
        FR: "Tor : annonce TLS pour {name}, nom comme Tor en invente, acceptée",
    },
    "tor-directory": {EN: "Tor directory: {path}", FR: "annuaire Tor : {path}"},
    "turn": {EN: "relay of calls (TURN): {what}", FR: "relais d'appels (TURN) : {what}"},
    "ice": {
        EN: "peers of a call test their path (ICE)",
        FR: "les pairs d'un appel testent leur chemin (ICE)",
    },
    "stun-media": {
        EN: "STUN, and media from the same endpoint",
        FR: "STUN, et des médias depuis le même point",
    },
    "rtp": {
        EN: "RTP of source {source}, payload type {type}, packets in sequence",
        FR: "RTP de la source {source}, charge de type {type}, paquets en séquence",
    },
    "rtcp": {EN: "RTCP reports of source {source}", FR: "rapports RTCP de la source {source}"},
    "dtls-srtp": {
        EN: "DTLS that negotiates keys for media (SRTP)",
        FR: "DTLS qui négocie des clés pour des médias (SRTP)",
    },
    "zoom": {EN: "Zoom's exchange of identifiers", FR: "échange d'identifiants de Zoom"},
    "zoom-probe": {EN: "probe of a Zoom client", FR: "sonde d'un client Zoom"},
    "service": {
        EN: "service of that kind by its name: {name}",
        FR: "service de ce genre d'après son nom : {name}",
    },
    "mining": {EN: "mining: “{said}”", FR: "minage : « {said} »"},
    "mining-tls": {EN: "mining pool over TLS: {name}", FR: "coopérative de minage sous TLS : {name}"},
    "portscan": {
        EN: "{count} ports of one target tried in {seconds} s without an answer: {ports}",
        FR: "{count} ports d'une même cible essayés en {seconds} s sans réponse : {ports}",
    },
    "hostscan": {
        EN: "port {port} of {count} targets tried in {seconds} s without an answer",
        FR: "port {port} de {count} cibles essayé en {seconds} s sans réponse",
    },
    "hostscan-echo": {
        EN: "{count} targets pinged in {seconds} s without an answer",
        FR: "ping de {count} cibles en {seconds} s sans réponse",
    },
    "hostscan-slow": {
        EN: "slow scan: {count} of {all} targets at port {port} failed over {seconds} s",
        FR: "balayage lent : {count} des {all} cibles du port {port} ont échoué en {seconds} s",
    },
    "hostscan-slow-echo": {
        EN: "slow scan: {count} of {all} pinged targets failed over {seconds} s",
        FR: "balayage lent : {count} des {all} cibles de ping ont échoué en {seconds} s",
    },
    "bruteforce": {
        EN: "{count} short {what} sessions with one target within {seconds} s",
        FR: "{count} sessions {what} brèves avec une cible en {seconds} s",
    },
    "bruteforce-everywhere": {
        EN: "{count} short {what} sessions with {targets} targets within {seconds} s",
        FR: "{count} sessions {what} brèves avec {targets} cibles en {seconds} s",
    },
    "bruteforce-sessions": {
        EN: "{count} {what} sessions begun with one target within {seconds} s",
        FR: "{count} sessions {what} commencées avec une cible en {seconds} s",
    },
    "bruteforce-refused": {
        EN: "{count} log-ins refused by one mail server within {seconds} s",
        FR: "{count} authentifications refusées par un serveur de courriel en {seconds} s",
    },
    "flood-syn": {
        EN: "{count} connections to port {port} begun in {seconds} s and never completed",
        FR: "{count} connexions au port {port} commencées en {seconds} s et jamais achevées",
    },
    "flood-udp": {
        EN: "{count} UDP packets in {seconds} s to a target that does not answer",
        FR: "{count} paquets UDP en {seconds} s vers une cible qui ne répond pas",
    },
    "flood-icmp": {
        EN: "{count} echo requests in {seconds} s to one target",
        FR: "{count} demandes d'écho en {seconds} s vers une cible",
    },
    "flood-amplified": {
        EN: "port {port} sent {bytes} bytes for {asked} that asked for them",
        FR: "le port {port} a envoyé {bytes} octets pour {asked} qui les demandaient",
    },
    "spam-messages": {
        EN: "{count} messages to {targets} targets within {seconds} s",
        FR: "{count} messages vers {targets} cibles en {seconds} s",
    },
    "spam-targets": {
        EN: "messages to {targets} mail servers within {seconds} s",
        FR: "messages vers {targets} serveurs de courriel en {seconds} s",
    },
    "spam-refused": {
        EN: "{count} messages or recipients refused within {seconds} s",
        FR: "{count} messages ou destinataires refusés en {seconds} s",
    },
    "spoof-port": {
        EN: "{source} is no address of the port {ingress} that sent it",
        FR: "{source} n'est pas une adresse du port {ingress} qui l'a envoyée",
    },
    "spoof-land": {EN: "packet from {source} to itself", FR: "paquet de {source} vers elle-même"},
    "spoof-martian": {
        EN: "packet from {source}, which no host can have, to {target}, by card {mac}",
        FR: "paquet de {source}, qu'aucun hôte ne peut avoir, vers {target}, par la carte {mac}",
    },
    "spoof-transit": {
        EN: "packet from {source} to {target}, neither of which is inside, by card {mac}",
        FR: "paquet de {source} vers {target}, ni l'une ni l'autre d'ici, par la carte {mac}",
    },
    "arp-poison": {
        EN: "card {mac} says {count} times that it is {ip}, which {other} holds",
        FR: "la carte {mac} dit {count} fois être {ip}, que détient {other}",
    },
    "arp-card": {
        EN: "card {mac} says {count} times that {ip} is at {other}",
        FR: "la carte {mac} dit {count} fois que {ip} est à {other}",
    },
    "unapproved-opening": {
        EN: "port {port} of {address} answered {count} times, and no approved opening covers it",
        FR: "le port {port} de {address} a répondu {count} fois, sans ouverture approuvée qui le couvre",
    },
    "suricata": {
        EN: "Suricata, rule {rule}, of {held_by}: “{said}”",
        FR: "Suricata, règle {rule}, au sujet de {held_by} : « {said} »",
    },
    "crowdsec": {
        EN: "CrowdSec ({origin}) lists the address of {held_by}: “{said}”",
        FR: "CrowdSec ({origin}) signale l'adresse de {held_by} : « {said} »",
    },
    "abuse-report": {
        EN: "complaint ({kind}) by {by} about {held_by}: “{said}”",
        FR: "plainte ({kind}) de {by} au sujet de {held_by} : « {said} »",
    },
    "webhook": {
        EN: "{by} reports of {held_by}: “{said}”",
        FR: "{by} signale au sujet de {held_by} : « {said} »",
    },
}


def say(reason: Reason, language: Language) -> str:
    """Return a reason in words."""
    return WORDS[reason.key][language].format_map(dict(reason.facts))
