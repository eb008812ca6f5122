#!/usr/bin/env bash
# Starts and stops a server to measure, on loopback ports, from a configuration in this folder.
#
#   peer.sh start|stop|pid|foreground KIND
#
# KIND: epode, prosody, prosody13 (an unpacked tree), ejabberd, relay, relaytls.
# Environment:
#   XL_RUN       working directory (data, logs, process ids), required
#   XL_BUILD     build directory of Epode and the tools (../../../build)
#   XL_PORT, XL_TLSPORT, XL_HTTPSPORT   ports (15222, 15223, 15224)
#   XL_CPU       cores for taskset (0); empty: no pinning
#   XL_MAM       1: archives on      XL_STORAGE   internal | archive_sql (the archive in SQLite)
#   XL_SHARDS    Epode's event loops (0: one for each core that it may use)
#   XL_GC        Prosody's collector: tuned, default, generational
#   XL_P13       unpacked tree of Prosody 13
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
verb=${1:?start, stop, pid or foreground} kind=${2:?which server?}
export XL_RUN=${XL_RUN:?set XL_RUN to a working directory}
export XL_PORT=${XL_PORT:-15222} XL_TLSPORT=${XL_TLSPORT:-15223} XL_HTTPSPORT=${XL_HTTPSPORT:-15224}
export XL_MAM=${XL_MAM:-0} XL_STORAGE=${XL_STORAGE:-internal} XL_GC=${XL_GC:-tuned}
export XL_CERTS=${XL_CERTS:-$XL_RUN} XL_DATA=${XL_DATA:-$XL_RUN/$kind}
build=${XL_BUILD:-$here/../../../build}
pidFile=$XL_RUN/$kind.pid
pin=(); [ -z "${XL_CPU-0}" ] || pin=(taskset -c "${XL_CPU-0}")
ulimit -n 1048576 2>/dev/null || ulimit -n "$(ulimit -Hn)"

fail() { printf 'peer.sh: %s\n' "$*" >&2; exit 1; }
isOpen() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# One certificate (ECDSA P-256) for all the servers.
makeCertificate() {
    [ ! -s "$XL_CERTS/both.pem" ] || return 0
    mkdir -p "$XL_CERTS"
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650 \
        -subj /CN=localhost -addext 'subjectAltName=DNS:localhost,DNS:conference.localhost' \
        -keyout "$XL_CERTS/key.pem" -out "$XL_CERTS/cert.pem" 2>/dev/null
    cat "$XL_CERTS/cert.pem" "$XL_CERTS/key.pem" >"$XL_CERTS/both.pem"
}

# fill TEMPLATE RESULT: @NAMES@, and lines that count only with or without the archive.
fill() {
    local with=@MAM@ without=@NOMAM@
    [ "$XL_MAM" = 1 ] || { with=@NOMAM@; without=@MAM@; }
    sed -e "s|^$with||; /^$without/d" -e "s|@PORT@|$XL_PORT|; s|@TLSPORT@|$XL_TLSPORT|; s|@HTTPSPORT@|$XL_HTTPSPORT|" \
        -e "s|@DATA@|$XL_DATA|; s|@CERTS@|$XL_CERTS|; s|@SHARDS@|${XL_SHARDS:-0}|" \
        -e "s|@MAMDB@|$([ "$XL_STORAGE" = archive_sql ] && echo sql || echo mnesia)|" \
        -e "s|@MAMBOOL@|$([ "$XL_MAM" = 1 ] && echo true || echo false)|" "$1" >"$2"
}

# Becomes the server.
foreground() {
    case $kind in
        epode)
            fill "$here/epode.toml.in" "$XL_DATA/epode.toml"
            exec "${pin[@]}" "$build/bin/epoded" --config "$XL_DATA/epode.toml" --data "$XL_DATA/data" ;;
        prosody) exec "${pin[@]}" prosody -F --config "$here/prosody.cfg.lua" ;;
        prosody13)
            cd "${XL_P13:?set XL_P13 to a tree of Prosody 13}"
            exec "${pin[@]}" lua5.4 ./prosody -F --config "$here/prosody.cfg.lua" ;;
        ejabberd)
            fill "$here/ejabberd.yml.in" "$XL_DATA/ejabberd.yml"
            export EJABBERD_CONFIG_PATH="$XL_DATA/ejabberd.yml" EJABBERD_LOG_PATH="$XL_DATA/ejabberd.log"
            export ERL_MAX_ETS_TABLES=20000 HOME="$XL_DATA"
            ERL_LIBS=${ERL_LIBS:-$(dirname "$(dpkg -L ejabberd | grep -m1 '/ejabberd-[0-9.-]*$')")}
            export ERL_LIBS
            cd "$XL_DATA"
            # No distribution, so no epmd; +K and +P as ejabberdctl does; +Q for more than 64k sockets.
            exec "${pin[@]}" erl +K true +P 2000000 +Q 1048576 -env ERL_CRASH_DUMP_BYTES 0 \
                -mnesia dir "\"$XL_DATA/data\"" -s ejabberd -noinput ;;
        relay) exec "${pin[@]}" "$build/bin/relay" --port "$XL_PORT" ;;
        relaytls)
            exec "${pin[@]}" "$build/bin/relay" --port "$XL_TLSPORT" \
                --cert "$XL_CERTS/cert.pem" --key "$XL_CERTS/key.pem" ;;
        *) fail "unknown server '$kind'" ;;
    esac
}

case $verb in
    foreground) mkdir -p "$XL_DATA/data"; makeCertificate; foreground ;;
    start)
        for port in "$XL_PORT" "$XL_TLSPORT"; do
            ! isOpen "$port" || fail "port $port is taken"
        done
        mkdir -p "$XL_DATA/data"
        setsid "$here/peer.sh" foreground "$kind" </dev/null >"$XL_DATA/out.log" 2>&1 &
        echo $! >"$pidFile"
        port=$XL_PORT; [ "$kind" != relaytls ] || port=$XL_TLSPORT
        for _ in $(seq 300); do
            if isOpen "$port"; then cat "$pidFile"; exit 0; fi
            kill -0 "$(cat "$pidFile")" 2>/dev/null || break
            sleep 0.1
        done
        tail -5 "$XL_DATA/out.log" >&2
        fail "$kind did not start, see $XL_DATA/out.log" ;;
    stop)
        [ -f "$pidFile" ] || exit 0
        pid=$(cat "$pidFile")
        kill "$pid" 2>/dev/null || true
        for _ in $(seq 300); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
        if kill -0 "$pid" 2>/dev/null; then
            echo "peer.sh: $kind had to be killed" >&2
            kill -9 "$pid"
        fi
        rm -f "$pidFile" ;;
    pid) cat "$pidFile" ;;
    *) fail "start, stop, pid or foreground, not '$verb'" ;;
esac
