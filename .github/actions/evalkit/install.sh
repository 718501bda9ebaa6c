#!/usr/bin/env bash
# Installs evalkit: this action's own version, unless another source is named.
set -uo pipefail

refuse() {
  echo "::error title=evalkit::$1"
  exit 2
}

source="${EVALKIT_SOURCE:-}"
if [ -z "$source" ]; then
  source=$(cd "$GITHUB_ACTION_PATH/../../.." && pwd)
  [ -f "$source/pyproject.toml" ] || refuse "The action does not stand in its repository; name what to install as source."
fi
if [[ "$source" =~ ^evalkit([^/A-Za-z0-9_-].*)?$ ]]; then
  refuse "source names a package of the index, where another project has that name: give a path, a wheel's address or git+https://…@TAG."
fi
python -m pip install --disable-pip-version-check --quiet -- "$source" ||
  refuse "evalkit could not be installed (pip's reason is above), so nothing was run."
# from elsewhere, so that no folder of the checkout is taken for it
(cd / && python -c 'from evalkit.records.last_run import LastRun') ||
  refuse "What was installed is not evalkit, so nothing was run."
