#!/usr/bin/env bash
# What an image is made of, as steps that run in a container build and outside of one alike.
#
#   deploy/build.sh wheel DIR          build the wheel into DIR
#   deploy/build.sh install DIR VENV   install it from DIR into a fresh environment VENV: pinned versions, no build tools, stripped
#   deploy/build.sh check VENV         prove that VENV serves: no root, no place to write but one, no tools
#   deploy/build.sh                    all three, in a temporary folder (what CI runs)
#
# EXTRAS (pii,postgres,otel) are the extras that go in. PYTHON (python3) is the interpreter; its own pip does the installing.
set -euo pipefail
here=$(CDPATH='' cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
PYTHON=${PYTHON:-python3}
EXTRAS=${EXTRAS:-pii,postgres,otel}
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PIP_ROOT_USER_ACTION=ignore PYTHONDONTWRITEBYTECODE=1
export SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-1767225600} # the same sources make the same wheel, byte for byte
unset PYTHONPATH PYTHONHOME VIRTUAL_ENV

nobody=(env HOME=/nonexistent) # runs as somebody who is not root, whoever calls
[ "$(id -u)" != 0 ] || nobody=(setpriv --reuid=65534 --regid=65534 --clear-groups --inh-caps=-all env HOME=/nonexistent)

server='' folders=()
tidy() { # however it ends
  [ -z "$server" ] || kill "$server" 2>/dev/null || true
  [ ${#folders[@]} = 0 ] || { chmod -R u+w "${folders[@]}"; rm -rf "${folders[@]}"; }
}
trap tidy EXIT

say() { printf '%s\n' "· $*" >&2; }
fail() { printf '%s\n' "✗ $*" >&2; exit 1; }

wheel() {
  say "wheel: $1"
  mkdir -p "$1"
  "$PYTHON" -m pip wheel --quiet --no-deps --constraint "$here/constraints.txt" --wheel-dir "$1" "$here"
}

install() {
  local found
  found=$(ls "$1"/sluicegate-*.whl)
  say "install: $2"
  "$PYTHON" -m venv --clear --without-pip --copies "$2" # no pip: nobody installs anything in a running container
  "$PYTHON" -m pip --python "$2/bin/python" install --quiet --progress-bar off --no-compile \
    --constraint "$here/constraints.txt" "$found[$EXTRAS]"
  strip_down "$2"
}

strip_down() { # tests, headers and what only builds need
  local packages
  packages=$(echo "$1"/lib/python3*/site-packages)
  find "$packages" -depth -type d \( -name __pycache__ -o -path '*/tests' -o -path '*/test' -o -name include \) \
    ! -path '*/sqlalchemy/testing/*' -exec rm -rf {} +
  find "$packages" -type f \( -name '*.pyi' -o -name '*.pxd' -o -name '*.c' -o -name '*.cpp' -o -name '*.h' \) -delete
  rm -rf "$packages"/pip "$packages"/pip-*.dist-info "$1"/include "$1"/bin/{activate*,Activate*,pip*}
  if command -v strip >/dev/null; then
    find "$packages" -name '*.so*' -type f ! -path '*.libs/*' -exec strip --strip-debug {} + 2>/dev/null || true
  fi
  "$1/bin/python" -m compileall -q -j 0 "$packages" || true # read-only at run time; `|| true`: some packages carry Python 2
  say "size: $(du -sm "$1" | cut -f1) MB"
}

check() {
  local venv work log port address status=
  venv=$(CDPATH='' cd "$1" && pwd)
  work=$(mktemp -d) && chmod 755 "$work"
  folders+=("$work")
  log=$work/log
  mkdir "$work/here" "$work/state"
  [ "$(id -u)" != 0 ] || chown 65534:65534 "$work/state"
  chmod 555 "$work/here"
  cd "$work/here"

  local name
  for name in pip gcc cc make git; do
    [ ! -e "$venv/bin/$name" ] || fail "$name is in the environment"
  done
  "$venv/bin/python" -c 'import pip' 2>/dev/null && fail 'pip is in the environment'
  "${nobody[@]}" "$venv/bin/sluicegate" --version | grep -q '^sluicegate ' || fail 'sluicegate --version'
  "${nobody[@]}" "$venv/bin/sluicegate" policy check default >"$log" 2>&1 || { cat "$log" >&2; fail 'policy check default'; }
  [[ ,$EXTRAS, != *,otel,* ]] || "$venv/bin/python" -c 'import opentelemetry.sdk.trace' || fail 'no OpenTelemetry'
  "${nobody[@]}" touch "$work/here/x" 2>/dev/null && fail 'the working directory can be written'

  port=$("$venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
  address=http://127.0.0.1:$port
  "${nobody[@]}" SLUICEGATE_PORT="$port" SLUICEGATE_UPSTREAM=http://127.0.0.1:9/v1 SLUICEGATE_AUDIT=stdout \
    SLUICEGATE_DATABASE="$work/state/sluicegate.db" "$venv/bin/sluicegate" serve >"$log" 2>&1 &
  server=$!
  for _ in $(seq 240); do
    kill -0 "$server" 2>/dev/null || { cat "$log" >&2; fail 'serve ended'; }
    status=$("$venv/bin/python" "$here/deploy/healthcheck.py" "$address/health/ready" 2>&1) && break
    sleep 0.25
  done
  [ "$status" = ready ] || { cat "$log" >&2; fail "not ready: $status"; }
  SLUICEGATE_PORT=$port "$venv/bin/python" "$here/deploy/healthcheck.py" >/dev/null || fail 'the health check of the image'
  [ "$(stat -c %u "/proc/$server")" != 0 ] || fail 'it runs as root'
  kill -TERM "$server"
  wait "$server" || fail "exit code $? after SIGTERM"
  server=
  say 'check: serves without root, writes nothing but its state, stops when told'
}

case ${1:-all} in
  wheel) wheel "$2" ;;
  install) install "$2" "$3" ;;
  check) check "$2" ;;
  all)
    all=$(mktemp -d)
    chmod 755 "$all"
    folders+=("$all")
    wheel "$all/wheel"
    install "$all/wheel" "$all/venv"
    check "$all/venv"
    ;;
  *) fail "unknown step $1: wheel, install, check, or none" ;;
esac
