# Keeps edgekit's folder on a device for one session (see devices/work.py). Any POSIX shell runs it: dash, busybox, mksh.
#
#   $1  the folder; $2  who measures and since when; $3  the session's token
#
# It says `session FOLDER`, `busy WHO`, `foreign`, `unmarked` or `link`, then obeys what comes on stdin: `clean`, `governor VALUE PATHS`
# (answered by `ok`, `refused` or `none`), `bye`; any other line is a beat.
base=$1; who=$2; token=$3; clean=
umask 077
mkdir -p "$base" || exit 3
[ -O "$base" ] || { echo foreign; exit 4; }
# What is in here is removed one day, so the folder must be ours: marked, empty, or of an edgekit that knew no marks.
mark=$base/.edgekit
if [ ! -f "$mark" ]; then
  names=0; ours=0
  for entry in "$base"/* "$base"/.[!.]* "$base"/..?*; do
    [ -e "$entry" ] || [ -L "$entry" ] || continue
    names=$((names + 1))
    case ${entry##*/} in files | runtimes | busy | governors | run-[0-9]*) ours=$((ours + 1));; esac
  done
  if [ $names != 0 ]; then
    { [ $names = $ours ] && [ -d "$base/files" ] && [ -d "$base/runtimes" ]; } || { echo unmarked; exit 6; }
    for entry in "$base"/files/* "$base"/files/.[!.]* "$base"/files/..?*; do
      [ -e "$entry" ] || [ -L "$entry" ] || continue
      digest=${entry##*/}; digest=${digest%%.*}
      case $digest in *[!0-9a-f]*) digest=;; esac
      [ ${#digest} = 64 ] || { echo unmarked; exit 6; }
    done
  fi
fi
for entry in "$mark" "$base/files" "$base/runtimes" "$base/governors"; do
  [ ! -L "$entry" ] || { echo link; exit 6; }
done
chmod 700 "$base" && mkdir -p "$base/files" "$base/runtimes" && echo "edgekit made this folder" >"$mark" || exit 3
boot=$(cat /proc/sys/kernel/random/boot_id 2>/dev/null)
session=$base/run-$$
governors=$base/governors

# The lock: a link is made in one step and tells by itself whose it is.
while ! ln -sn "$$ $boot $token $who" "$base/busy" 2>/dev/null; do
  old=$(readlink "$base/busy") || { ln -sn "$$ $boot $token $who" "$base/busy" && break; exit 3; }
  holder=${old%% *}
  case "$old" in
    "$holder $boot $token "*)  # our own, whose connection broke: it gets time to tidy up
      tries=0
      while kill -TERM "$holder" 2>/dev/null && [ $((tries += 1)) -lt 20 ]; do sleep 1; done;;
    "$holder $boot "*)
      if kill -0 "$holder" 2>/dev/null; then echo "busy ${old#* * * }"; exit 5; fi;;
  esac
  [ "$(readlink "$base/busy")" != "$old" ] || rm -rf "$base/busy"
done

write() {
  if [ -w "$1" ]; then echo "$2" >"$1"; else echo "$2" | sudo -n tee "$1" >/dev/null; fi
}
restore() {
  [ -f "$governors" ] || return
  failed=
  while read -r file value; do write "$file" "$value" || failed=1; done <"$governors"
  [ -n "$failed" ] || rm -f "$governors"
}
leave() {
  trap "" HUP INT TERM PIPE
  { kill -KILL $watch; wait $watch; } 2>/dev/null
  # A pause that has not written its process by now cannot begin, and one that has is known.
  { mv "$session" "$session.ended" && read -r pause <"$session.ended/pause" && kill $pause; } 2>/dev/null
  restore
  # What still runs with this session's files, because its own connection is not known to be gone.
  for process in $(grep -lsF "$session/" /proc/[0-9]*/cmdline); do
    process=${process#/proc/}
    kill -KILL "${process%/cmdline}" 2>/dev/null
  done
  rm -rf "$session" "$session.ended"
  [ -z "$clean" ] || rm -rf "$base/files" "$base/runtimes"
  case "$(readlink "$base/busy")" in "$$ "*) rm -f "$base/busy";; esac
  if [ -n "$clean" ]; then rm -f "$mark"; rmdir "$base" 2>/dev/null || echo "edgekit made this folder" >"$mark"; fi
}

# What sessions left whose keeper was killed, and copies that nobody went on with for a week.
restore
rm -rf "$base"/run-* "$base"/runtimes/*.part-*
find "$base/files" -name "*.part" -mtime +6 -exec rm -f {} + 2>/dev/null

trap leave EXIT
trap 'exit 1' HUP INT TERM PIPE
mkdir "$session" || exit 3

# A network that is simply gone closes nothing: without a beat for a minute this ends by itself. The pauses are short, so
# that none outlives a session by much that is killed.
(
  old=; silent=0
  while sh -c 'echo $$ >"$1" && exec sleep 10' pause "$session/pause" & wait $!; do
    { [ -d "$session" ] && kill -0 $$; } 2>/dev/null || exit
    new=; read -r new <"$session/beat"
    silent=$((silent + 1))
    [ "$new" = "$old" ] || silent=0
    old=$new
    [ $silent -lt 6 ] || kill -TERM $$
  done
) </dev/null >/dev/null 2>&1 &
watch=$!

echo "session $session"
lines=0
while read -r verb value paths; do
  lines=$((lines + 1))
  echo $lines >"$session/beat"
  case $verb in
    bye) exit 0;;
    clean) clean=1;;
    governor)
      answer=ok
      for file in $paths; do
        before=$(cat "$file") && echo "$file $before" >>"$governors" && write "$file" "$value" 2>/dev/null || answer=refused
      done
      [ -f "$governors" ] || answer=none
      [ $answer = ok ] || restore
      echo $answer;;
  esac
done
