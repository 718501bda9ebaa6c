"""`.evalkit/approvals.db`: requests for approvals, what was decided, and by whom.

History of `user_version`: 1 is the first.

Every change is one transaction that began by locking the file, so that of two sessions that claim
one approval at the same time exactly one has it. Each change also leaves a row in `events`, which
nothing edits.
"""

import os
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from evalkit.errors import StoreError, UsageError
from evalkit.records.approval import Approval, ApprovalAsked, ApprovalClaim, ApprovalState
from evalkit.store.files import explained
from evalkit.store.folder import PRIVATE, private_folder
from evalkit.store.wal import use_wal

FILE = "approvals.db"
# a session waits for it with everything else that its process does
BUSY_TIMEOUT_S = 1.0
# The script at index n takes the file from version n to n + 1.
_MIGRATIONS: tuple[Sequence[str], ...] = (
    (
        """
        CREATE TABLE approvals (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            id TEXT NOT NULL UNIQUE,
            route TEXT NOT NULL,
            tool TEXT NOT NULL,
            team TEXT NOT NULL,
            identity TEXT NOT NULL,
            digest TEXT NOT NULL,
            expires_s REAL NOT NULL,
            arguments TEXT NOT NULL,
            asked_at TEXT NOT NULL,
            state TEXT NOT NULL CHECK (state IN ('pending', 'granted', 'denied', 'used')),
            by TEXT NOT NULL DEFAULT '',
            by_team TEXT NOT NULL DEFAULT '',
            reason TEXT NOT NULL DEFAULT '',
            decided_at TEXT NOT NULL DEFAULT '',
            expires_at TEXT NOT NULL DEFAULT '',
            used_at TEXT NOT NULL DEFAULT '',
            any_arguments INTEGER NOT NULL DEFAULT 0
        ) STRICT
        """,
        "CREATE INDEX approvals_of_a_call ON approvals (route, tool, identity, team, state)",
        """
        CREATE TABLE events (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            approval TEXT NOT NULL,
            at TEXT NOT NULL,
            event TEXT NOT NULL,
            by TEXT NOT NULL DEFAULT '',
            team TEXT NOT NULL DEFAULT '',
            note TEXT NOT NULL DEFAULT ''
        ) STRICT
        """,
    ),
)
_COLUMNS = (
    "id, route, tool, team, identity, digest, expires_s, arguments, asked_at, state, by, by_team, "
    "reason, decided_at, expires_at, used_at, any_arguments"
)


Tell = Callable[[Approval], None]


def nobody(approval: Approval) -> None:
    """Tell nobody."""


class ApprovalStore:
    """Implements ports.Approvals. The file is opened for each call and made by the first claim.

    Every method raises StoreError for a file that is locked for longer than `busy_timeout_s`,
    damaged, newer than this evalkit, or that cannot be written.
    """

    def __init__(
        self,
        root: Path,
        *,
        now: Callable[[], datetime],
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        """The store of the project at `root`; `now` is the time of day."""
        self.path = root / PRIVATE / FILE
        self._root = root
        self._now = now
        self._patience_s = busy_timeout_s

    def claim(self, asked: ApprovalAsked) -> ApprovalClaim:
        """Use an approval that covers the call, or leave a request for one.

        A no of somebody stands against every approval, until the same request is granted.
        """
        now = self._moment()
        with self._writing() as connection:
            own = _first(
                connection,
                "route = ? AND tool = ? AND identity = ? AND team = ? AND digest = ? "
                "AND state != 'used'",
                (asked.route, asked.tool, asked.identity, asked.team, asked.digest),
            )
            if own is not None:
                own = _renewed(connection, own, now)
            if own is not None and own.state == "denied":
                return ApprovalClaim(allowed=False, approval=own)
            if own is None or own.state != "granted":
                covering = _covering(connection, asked, now)
            else:
                covering = own
            if covering is not None:
                return ApprovalClaim(allowed=True, approval=_use(connection, covering, now))
            if own is None:
                own = _insert(connection, asked, now)
            return ApprovalClaim(allowed=False, approval=own)

    def all(self) -> tuple[Approval, ...]:
        """Every approval, the oldest first. A grant that expired is shown as pending again."""
        if not self.path.exists():
            return ()
        now = self._moment()
        with self._writing() as connection:
            rows = connection.execute(f"SELECT {_COLUMNS} FROM approvals ORDER BY number")
            found = [_approval(row) for row in rows.fetchall()]
            return tuple(_renewed(connection, each, now) for each in found)

    def find(self, id_: str) -> Approval:
        """The one approval whose id is `id_`, or begins with it. Raises UsageError."""
        found = [each for each in self.all() if each.id.startswith(id_)] if id_ else []
        exact = [each for each in found if each.id == id_]
        if len(exact or found) == 1:
            return (exact or found)[0]
        if found:
            names = ", ".join(each.id for each in found[:5])
            raise UsageError(f"{id_!r} is the beginning of several approvals: {names}")
        raise UsageError(f"there is no approval {id_!r}; `evalkit approvals list` shows them")

    def grant(
        self,
        id_: str,
        *,
        by: str,
        team: str,
        expires_s: float | None = None,
        any_arguments: bool = False,
        tell: Tell = nobody,
    ) -> Approval:
        """Let one call run, for at most `expires_s` seconds from now; default: the route's limit.

        `tell` is called before it holds: where it raises, nothing is granted. Raises UsageError
        for an approval of another team, one that was used or granted already, and for a time longer
        than the route allows.
        """
        now = self._moment()
        with self._writing() as connection:
            known = self._open_to(connection, id_, team, now)
            if known.state == "granted":
                raise UsageError(
                    f"{id_} was granted by {known.by} already, until {known.expires_at}"
                )
            limit_s = known.asked.expires_s
            if expires_s is not None and expires_s > limit_s:
                raise UsageError(
                    f"the route lets an approval of {known.words} stand for at most {limit_s:g} s, "
                    f"not {expires_s:g} s"
                )
            ends = now + timedelta(seconds=limit_s if expires_s is None else expires_s)
            granted = _change(
                connection,
                known,
                event="granted",
                note="any arguments" if any_arguments else "",
                state="granted",
                by=by,
                by_team=team,
                reason="",
                decided_at=_iso(now),
                expires_at=_iso(ends),
                any_arguments=any_arguments,
            )
            tell(granted)
            return granted

    def deny(self, id_: str, *, by: str, team: str, reason: str, tell: Tell = nobody) -> Approval:
        """Say no to a call; the same call stays denied until this request is granted.

        `tell` is as in `grant`. Raises UsageError for an approval of another team, and one that was
        used or denied already.
        """
        now = self._moment()
        with self._writing() as connection:
            known = self._open_to(connection, id_, team, now)
            if known.state == "denied":
                raise UsageError(f"{id_} was denied by {known.by} already: {known.reason}")
            denied = _change(
                connection,
                known,
                event="denied",
                note=reason,
                state="denied",
                by=by,
                by_team=team,
                reason=reason,
                decided_at=_iso(now),
                expires_at="",
                any_arguments=False,
            )
            tell(denied)
            return denied

    def prune(self, before: datetime, *, dry_run: bool = False) -> int:
        """Remove approvals that were used or denied before that moment, with their events.

        Returns how many. Those that wait for a decision or to be used stay.
        """
        if not self.path.exists():
            return 0
        gone = [each.id for each in self.all() if _settled(each, before)]
        if gone and not dry_run:
            with self._writing() as connection:
                for table, key in (("events", "approval"), ("approvals", "id")):
                    connection.executemany(
                        f"DELETE FROM {table} WHERE {key} = ?", [(id_,) for id_ in gone]
                    )
        return len(gone)

    def _open_to(
        self, connection: sqlite3.Connection, id_: str, team: str, now: datetime
    ) -> Approval:
        """The approval, which that team may still decide on. Raises UsageError."""
        known = _first(connection, "id = ?", (id_,))
        if known is None:
            raise UsageError(f"there is no approval {id_!r}; `evalkit approvals list` shows them")
        known = _renewed(connection, known, now)
        if team != known.asked.team:
            raise UsageError(
                f"{id_} ({known.words}) is for {known.asked.team} to decide, not for {team}"
            )
        if known.state == "used":
            raise UsageError(
                f"{id_} was granted by {known.by} and used at {known.used_at}; the next call of "
                f"{known.asked.tool} asks again"
            )
        return known

    def _moment(self) -> datetime:
        return self._now().astimezone(UTC)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        """A connection inside a transaction that nobody else writes during; all or nothing."""
        private_folder(self._root)
        with explained("make", self.path):
            # names of approvers stand in it
            os.close(os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        with self._explained():
            connection = sqlite3.connect(self.path, timeout=self._patience_s, isolation_level=None)
        try:
            with self._explained():
                self._migrate(connection)
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    connection.execute("COMMIT")
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        finally:
            connection.close()

    def _migrate(self, connection: sqlite3.Connection) -> None:
        # a grant that was acknowledged has to be there after a power cut too
        connection.execute("PRAGMA synchronous = FULL")
        version = _version(connection)
        if version > len(_MIGRATIONS):
            raise StoreError(
                f"{self.path} was written by a newer evalkit (version {version}; this one reads up "
                f"to {len(_MIGRATIONS)}); upgrade evalkit"
            )
        if version == len(_MIGRATIONS):
            return
        use_wal(connection, self._patience_s)
        connection.execute("BEGIN IMMEDIATE")
        try:
            for script in _MIGRATIONS[_version(connection) :]:  # another may have been first
                for statement in script:
                    connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {len(_MIGRATIONS)}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            code = (getattr(error, "sqlite_errorcode", 0) or 0) & 0xFF
            raise StoreError(f"the approvals in {self.path}: {_advice(error, code)}") from error
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            raise StoreError(
                f"the approvals in {self.path} are damaged ({error}); move the file aside: what "
                "waits for an approval asks again"
            ) from error


def _settled(approval: Approval, before: datetime) -> bool:
    """Whether nothing can come of it any more since before that moment."""
    ended = {"used": approval.used_at, "denied": approval.decided_at}.get(approval.state, "")
    return bool(ended) and datetime.fromisoformat(ended) < before


def _advice(error: sqlite3.Error, code: int) -> str:
    if code in {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}:
        return "another process keeps them locked; wait for it to end and try again"
    if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
        return (
            f"damaged ({error}); move the file aside: what waits for an approval asks again, and "
            "no approval stands"
        )
    if code in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}:
        return f"{error}; free some room on its disk"
    if code in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM}:
        return f"cannot be written ({error}); make the file and its folder writable"
    return str(error)


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _first(connection: sqlite3.Connection, where: str, values: Sequence[Any]) -> Approval | None:
    """The newest approval of those that are meant."""
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM approvals WHERE {where} ORDER BY number DESC LIMIT 1", values
    ).fetchone()
    return None if row is None else _approval(row)


def _covering(
    connection: sqlite3.Connection, asked: ApprovalAsked, now: datetime
) -> Approval | None:
    """A standing approval of the same call with any arguments; the one that ends first."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM approvals WHERE route = ? AND tool = ? AND identity = ? AND "
        "team = ? AND state = 'granted' AND any_arguments = 1 ORDER BY expires_at, number",
        (asked.route, asked.tool, asked.identity, asked.team),
    )
    for row in rows.fetchall():
        known = _renewed(connection, _approval(row), now)
        if known.state == "granted":
            return known
    return None


def _renewed(connection: sqlite3.Connection, known: Approval, now: datetime) -> Approval:
    """The approval as it stands now: one that was granted and expired is pending again."""
    if known.state != "granted" or now < datetime.fromisoformat(known.expires_at):
        return known
    return _change(
        connection,
        known,
        event="expired",
        note=f"granted by {known.by} until {known.expires_at}",
        at=known.expires_at,
        state="pending",
        expires_at="",
        any_arguments=False,
    )


def _use(connection: sqlite3.Connection, known: Approval, now: datetime) -> Approval:
    return _change(connection, known, event="used", at=_iso(now), state="used", used_at=_iso(now))


def _insert(connection: sqlite3.Connection, asked: ApprovalAsked, now: datetime) -> Approval:
    made = Approval(
        id=f"ap-{secrets.token_hex(5)}", asked=asked, asked_at=_iso(now), state="pending"
    )
    connection.execute(
        "INSERT INTO approvals (id, route, tool, team, identity, digest, expires_s, arguments, "
        "asked_at, state) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            made.id,
            asked.route,
            asked.tool,
            asked.team,
            asked.identity,
            asked.digest,
            asked.expires_s,
            msgspec.json.encode(asked.arguments).decode(),
            made.asked_at,
            made.state,
        ),
    )
    _note(connection, made.id, made.asked_at, "asked")
    return made


def _change(
    connection: sqlite3.Connection,
    known: Approval,
    *,
    event: str,
    note: str = "",
    at: str | None = None,
    state: ApprovalState,
    **changes: Any,
) -> Approval:
    """Write a new state with the event that led to it."""
    changed = msgspec.structs.replace(known, state=state, **changes)
    columns = {"state": state, **changes}
    names = ", ".join(f"{name} = ?" for name in columns)
    connection.execute(
        f"UPDATE approvals SET {names} WHERE id = ?",
        (*(int(v) if isinstance(v, bool) else v for v in columns.values()), known.id),
    )
    by, team = (changed.by, changed.by_team) if event in ("granted", "denied") else ("", "")
    moment = at or changed.decided_at
    _note(connection, known.id, moment, event, by=by, team=team, note=note)
    return changed


def _note(
    connection: sqlite3.Connection,
    id_: str,
    at: str,
    event: str,
    *,
    by: str = "",
    team: str = "",
    note: str = "",
) -> None:
    connection.execute(
        "INSERT INTO events (approval, at, event, by, team, note) VALUES (?, ?, ?, ?, ?, ?)",
        (id_, at, event, by, team, note),
    )


def _approval(row: Sequence[Any]) -> Approval:
    id_, route, tool, team, identity, digest, expires_s, arguments, asked_at, state, *rest = row
    by, by_team, reason, decided_at, expires_at, used_at, any_arguments = rest
    return Approval(
        id=id_,
        asked=ApprovalAsked(
            route=route,
            tool=tool,
            team=team,
            identity=identity,
            digest=digest,
            expires_s=expires_s,
            arguments=msgspec.json.decode(arguments, type=dict[str, Any]),
        ),
        asked_at=asked_at,
        state=state,
        by=by,
        by_team=by_team,
        reason=reason,
        decided_at=decided_at,
        expires_at=expires_at,
        used_at=used_at,
        any_arguments=bool(any_arguments),
    )


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds")
