#!/usr/bin/env bash
# Builds the image, starts the stack in a project of its own, kills a worker and redis with kill -9
# in mid-work, and checks that every job is done: docker/smoke.sh
#
#   DOCKER_BUILD_NETWORK=host   where only the host's network reaches the package registry
#   KEEP=1                      leave the stack running
#   JOBS=40                     how many jobs
set -euo pipefail
cd "$(dirname "$0")"

began=$SECONDS
say() { printf '\n[%3d s] %s\n' $((SECONDS - began)) "$*"; }

work=$(mktemp -d)
export MSGQUEUE_PORT=${MSGQUEUE_PORT:-0} # 0: any free port
files=(--file compose.yml)
if [ -n "${DOCKER_BUILD_NETWORK:-}" ]; then
  for service in secrets api worker smoke; do
    printf '  %s: { build: { network: "%s" } }\n' "$service" "$DOCKER_BUILD_NETWORK"
  done | cat <(echo "services:") - >"$work/override.yml"
  files+=(--file "$work/override.yml")
fi
compose() { docker compose --project-name msgqueue-smoke "${files[@]}" --profile smoke "$@"; }
client() { compose run --rm --no-TTY --interactive=false --no-deps smoke python /smoke.py "$@"; }

finish() {
  local code=$?
  if [ $code -ne 0 ]; then
    say "FAILED; the last lines of each log:"
    compose logs --tail 40 api worker redis || true
  fi
  [ -n "${KEEP:-}" ] || compose down --volumes --timeout 20 >/dev/null 2>&1 || true
  rm -rf "$work"
  [ $code -ne 0 ] || say "smoke: all is well"
}
trap finish EXIT

# Every process of a container at once, but the init that its restart policy watches.
kill_9() { docker exec "$1" sh -c 'kill -9 -1' || true; }

restarted() { # container, how often it had been restarted before
  for _ in $(seq 100); do
    [ "$(docker inspect --format '{{.RestartCount}}' "$1")" -gt "$2" ] && return
    sleep 0.2
  done
  say "$1 was not restarted"
  return 1
}

say "build"
compose build --quiet
say "start: api, redis, two workers"
compose up --detach --wait --scale worker=2 api redis worker
compose ps --format 'table {{.Service}}\t{{.Status}}\t{{.Ports}}'
say "the API on the host: $(curl --silent --show-error "http://$(compose port api 8080)/healthz")"

say "post ${JOBS:-40} jobs"
client post "${JOBS:-40}" >"$work/ids"
read -r worker < <(compose ps --quiet worker) # not head: under pipefail its closed pipe is a failure
redis=$(compose ps --quiet redis)

say "kill -9 a worker"
kill_9 "$worker"
restarted "$worker" 0
say "kill -9 redis"
kill_9 "$redis"
restarted "$redis" 0

say "wait for every job"
client wait $(cat "$work/ids")
say "look at the pages"
client pages

say "no secret stands in an environment, an argument or a log"
compose exec --no-TTY api cat /secrets/api/key /secrets/redis/password | fold -w 64 >"$work/secrets"
{ docker inspect $(compose ps --quiet); compose logs; } >"$work/told"
if grep --quiet --fixed-strings --file "$work/secrets" "$work/told"; then
  say "a secret stands in docker inspect or in a log"
  exit 1
fi

say "stop; a worker that was told to stop ends with 0"
compose stop --timeout 30 worker >/dev/null 2>&1
for id in $(compose ps --all --quiet worker); do
  code=$(docker inspect --format '{{.State.ExitCode}}' "$id")
  [ "$code" = 0 ] || { say "a worker ended with $code"; exit 1; }
done
