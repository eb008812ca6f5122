#include <csignal>
#include <cstdlib>
#include <string>
#include "scenarios.h"

static const char* usage = R"(xmppload SCENARIO [options]

Scenarios: register login idle chat carbons pep muc mam roster presence crash verify

Connection
  --host A --port P      server address (127.0.0.1 15222)
  --domain D             XMPP domain (localhost)
  --other-host A --other-port P --other-domain D
                         chat, register: users with odd numbers live on this server
  --tls none|starttls|direct
  --websocket            streams over WebSocket, with --tls none or direct
  --mech SCRAM-SHA-1|PLAIN
  --fast                 login: SASL2, Bind 2 and a token (FAST) on a resumed TLS session, after one login
                         with the password that is not measured
  --scram-cache FILE     keep salted keys between runs
  --user FMT             user name pattern (u%d)   --first N  first number (0)
  --password P           shared password (secret)  --resource R (x)
  --sm                   enable XEP-0198 (answers every <r/>)
  --sm-req N             ask the server for an ack each N messages sent
  --roster               fetch the roster at login
  --presence             send initial presence at login
  --nsrc N               number of 127.0.0.x source addresses (0: 1 per 20000 connections)
  --conc C               logins in progress at a time (50)
  --server-pid P[,P..]   measure these processes and their children
  --label S              copied into the result line
Per scenario
  register/login/idle: --n N;  idle: --settle S (5)
  chat: --pairs P --window W --size S --duration D --warmup D [--bidi] [--bare] [--rate R]
        --rate: open loop, R messages/s in all; latency from the intended time
  muc:  --rooms R --occupants O --senders S --window W [--rate R] --muc-host H --join-conc C
  carbons: --pairs P --window W --size S --copies K   (further sessions of each receiver, with XEP-0280)
  pep:  --n N --senders S --window W   (the ring of `roster`: each item goes to all contacts, by their caps)
  mam:  --pairs P --fill M (messages per pair) --page N --conc C (users asking at a time)
  roster: --n N --contacts K   (ring of mutual contacts)    presence: the same
  crash: --pairs P --window W --sm-req N --mode online|offline|hibernating --duration D --notes FILE
         sends with XEP-0198 until the server dies; notes what it acknowledged and what arrived
  verify: --notes FILE --settle S --page N   looks for every acknowledged message of these notes
  --raw                  chat/muc/login against the relay (no XMPP login)
)";

int main(int argc, char** argv) {
    signal(SIGPIPE, SIG_IGN);
    raiseNofile();
    if (argc < 2) {
        fputs(usage, stderr);
        return 2;
    }
    Options options;
    options.scenario = argv[1];
    for (int i = 2; i < argc; i++) {
        std::string a = argv[i];
        auto val = [&]() -> std::string {
            if (i + 1 >= argc) {
                fprintf(stderr, "%s needs a value\n", a.c_str());
                exit(2);
            }
            return argv[++i];
        };
        auto in = [&] { return atoi(val().c_str()); };
        auto fl = [&] { return atof(val().c_str()); };
        if (a == "--host")
            options.host = val();
        else if (a == "--port")
            options.port = in();
        else if (a == "--domain")
            options.domain = val();
        else if (a == "--other-host")
            options.otherHost = val();
        else if (a == "--other-port")
            options.otherPort = in();
        else if (a == "--other-domain")
            options.otherDomain = val();
        else if (a == "--muc-host")
            options.mucHost = val();
        else if (a == "--tls") {
            auto v = val();
            options.tls = v == "none" ? 0 : v == "starttls" ? 1 : v == "direct" ? 2 : -1;
            if (options.tls < 0) {
                fputs(usage, stderr);
                return 2;
            }
        } else if (a == "--websocket")
            options.webSocket = true;
        else if (a == "--mech")
            options.mech = val();
        else if (a == "--scram-cache")
            options.scramCache = val();
        else if (a == "--user")
            options.user = val();
        else if (a == "--first")
            options.first = in();
        else if (a == "--password")
            options.password = val();
        else if (a == "--resource")
            options.resource = val();
        else if (a == "--fast")
            options.fast = true;
        else if (a == "--sm")
            options.sm = true;
        else if (a == "--sm-req")
            options.smReq = in();
        else if (a == "--roster")
            options.roster = true;
        else if (a == "--presence")
            options.presence = true;
        else if (a == "--raw")
            options.raw = true;
        else if (a == "--nsrc")
            options.nsrc = in();
        else if (a == "--conc")
            options.conc = in();
        else if (a == "--n")
            options.n = in();
        else if (a == "--label")
            options.label = val();
        else if (a == "--settle")
            options.settle = fl();
        else if (a == "--duration")
            options.dur = fl();
        else if (a == "--warmup")
            options.warmup = fl();
        else if (a == "--drain")
            options.drain = fl();
        else if (a == "--stall")
            options.stall = fl();
        else if (a == "--login-timeout")
            options.loginTimeout = fl();
        else if (a == "--pairs")
            options.pairs = in();
        else if (a == "--window")
            options.window = in();
        else if (a == "--size")
            options.size = in();
        else if (a == "--bidi")
            options.bidi = true;
        else if (a == "--bare")
            options.bare = true;
        else if (a == "--rate")
            options.rate = fl();
        else if (a == "--copies")
            options.copies = in();
        else if (a == "--rooms")
            options.rooms = in();
        else if (a == "--occupants")
            options.occupants = in();
        else if (a == "--senders")
            options.senders = in();
        else if (a == "--join-conc")
            options.joinConc = in();
        else if (a == "--fill")
            options.fill = in();
        else if (a == "--page")
            options.page = in();
        else if (a == "--contacts")
            options.contacts = in();
        else if (a == "--mode")
            options.mode = val();
        else if (a == "--notes")
            options.notes = val();
        else if (a == "--round")
            options.round = in();
        else if (a == "--no-close")
            options.noClose = true;
        else if (a == "--server-pid") {
            std::string v = val();
            for (size_t p = 0; p < v.size();) {
                size_t e = v.find(',', p);
                if (e == std::string::npos) e = v.size();
                int pid = atoi(v.substr(p, e - p).c_str());
                if (pid > 0) options.pids.push_back(pid);
                p = e + 1;
            }
        } else {
            fprintf(stderr, "unknown option %s\n%s", a.c_str(), usage);
            return 2;
        }
    }
    if (options.nsrc == 0) {
        int total = options.scenario == "chat" || options.scenario == "mam" ? options.pairs * 2
                    : options.scenario == "muc" ? options.rooms * options.occupants
                                                : options.n;
        options.nsrc = total / 20000 + 1;
    }
    if (options.scenario == "register") return runRegister(options);
    if (options.scenario == "login") return runLogin(options);
    if (options.scenario == "idle") return runIdle(options);
    if (options.scenario == "chat") return runChat(options);
    if (options.scenario == "carbons") return runCarbons(options);
    if (options.scenario == "pep") return runPep(options);
    if (options.scenario == "muc") return runMuc(options);
    if (options.scenario == "mam") return runMam(options);
    if (options.scenario == "roster") return runRoster(options);
    if (options.scenario == "presence") return runPresence(options);
    if (options.scenario == "crash") return runCrash(options);
    if (options.scenario == "verify") return runVerify(options);
    fputs(usage, stderr);
    return 2;
}
