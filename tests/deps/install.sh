# Sourced by ./run and ./check: install the Debian packages that are missing.
#
#   need_packages LIST_FILE...
#
# As root: apt-get. Otherwise: sudo apt-get. Where neither works: the exact command to type, and status 1.
# Nothing is touched, not even the package lists, when everything is there. Output goes to stderr.

packages_of() {
  sed -e 's/#.*//' -e 's/[[:space:]]//g' -e '/^$/d' "$@"
}

package_missing() {
  [ "$(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null)" != installed ]
}

need_packages() {
  local package missing=() apt=()
  if ! command -v dpkg-query >/dev/null; then
    echo "weir: this is not Debian; these packages (by Debian's names) must be there:" $(packages_of "$@") >&2
    return 0
  fi
  for package in $(packages_of "$@"); do
    if package_missing "$package"; then missing+=("$package"); fi
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  if [ "$(id -u)" -eq 0 ]; then
    apt=(env DEBIAN_FRONTEND=noninteractive apt-get)
  elif command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; then
    apt=(sudo env DEBIAN_FRONTEND=noninteractive apt-get)
  else
    printf 'weir: %d Debian packages are missing and neither root nor sudo is at hand. Type:\n  apt-get install --no-install-recommends %s\n' \
      "${#missing[@]}" "${missing[*]}" >&2
    return 1
  fi
  echo "weir: installing ${missing[*]}" >&2
  local log status=0
  log=$(mktemp)
  { "${apt[@]}" -q -o Acquire::Retries=3 update &&
    "${apt[@]}" -q -y -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 \
      install --no-install-recommends "${missing[@]}"; } </dev/null >"$log" 2>&1 || status=$?
  if [ "$status" -ne 0 ]; then
    tail -n 25 "$log" >&2
    printf 'weir: apt-get failed (status %d). These packages are needed:\n  %s\n' "$status" "${missing[*]}" >&2
  fi
  rm -f "$log"
  return "$status"
}
