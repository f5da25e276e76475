# Sourced by the scripts beside it: a `serve` of their own over an empty data folder, which ends with them.
#
# SERVE names a built `serve`, else cargo builds one. Afterwards `work` is a folder that goes at the end, `url` the
# server's base URL, and `$work/log` what it said.

work=$(mktemp -d)
server=
finish() {
    if [ -n "$server" ]; then
        kill -TERM "$server" 2>/dev/null || true
        wait "$server" 2>/dev/null || true
    fi
    rm -rf "$work"
}
trap finish EXIT

# start_serve [ARGUMENT...]    with further arguments of `serve`; PROFILE=release builds it so
start_serve() {
    if [ -z "${SERVE:-}" ]; then
        if [ "${PROFILE:-debug}" = release ]; then
            cargo build --quiet --release --package serve
        else
            cargo build --quiet --package serve
        fi
        SERVE=${CARGO_TARGET_DIR:-target}/${PROFILE:-debug}/serve
    fi
    "$SERVE" --addr 127.0.0.1:0 --data-dir "$work/state" "$@" >"$work/url" 2>"$work/log" &
    server=$!
    until [ -s "$work/url" ]; do
        if ! kill -0 "$server" 2>/dev/null; then
            cat "$work/log" >&2
            exit 1
        fi
        sleep 0.2
    done
    url=$(cat "$work/url")
}

# stop_serve    asks it to stop; it must end well
stop_serve() {
    kill -TERM "$server"
    wait "$server"
    server=
}

# python_with MODULE REQUIREMENT FOLDER    sets `python` to one that has MODULE, of a virtual environment in FOLDER
python_with() {
    python=$3/bin/python
    if ! "$python" -c "import $1" 2>/dev/null; then
        "${PYTHON:-python3}" -m venv "$3"
        "$python" -m pip install --quiet --disable-pip-version-check "$2"
    fi
}
