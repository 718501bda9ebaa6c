"""One transaction of the ledger: what is held and charged together, for any number of calls.

Nobody else writes while it is open, so balances are read once, changed here and written once.
"""

import sqlite3
from collections.abc import Iterable, Sequence

from evalkit.records.ledger import Account, Amount, Balance, Held, Limit, Refusal

_NOTHING = Balance()
_SOME = 500  # variables in one statement


class Entries:
    """The entries of one transaction that is open on `connection`; `write` ends them."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        *,
        owner: str,
        run: str,
        now: float,
        lease_s: float,
        known: dict[str, Balance],
    ) -> None:
        """`owner` is this process, `now` in seconds since 1970; a new hold lasts for `lease_s`.

        `known` are balances as they stand in the file now; they are changed in place.
        """
        self._connection = connection
        self._owner = owner
        self._run = run
        self._now = now
        self._expires_at = now + lease_s
        self._balances = known
        self._changed: dict[str, int] = {}
        self._made: list[tuple[int, str, str, int, int, str, float]] = []
        self._looked_for_expired = False
        # what was charged in this transaction since its lease had ended
        self.expired_calls = 0
        self.expired = Amount()

    def load(self, accounts: Iterable[Account]) -> None:
        """Read the balances of all that is asked about, at once."""
        missing = {each.key for each in accounts if each.key not in self._balances}
        if missing:
            self._balances |= read_balances(self._connection, list(missing))

    def hold(self, id_: int, amount: Amount, limits: Sequence[Limit]) -> Held | Refusal:
        """Set an amount aside if it fits under every limit."""
        accounts = tuple(limit.account for limit in limits)
        self.load(accounts)
        if not all(
            limit.fits(each.spent + each.held + amount)
            for limit, each in zip(limits, self._of(accounts), strict=True)
        ):
            self.charge_expired()
            return Refusal(self._of(accounts))
        for account in accounts:
            each = self._balances[account.key]
            self._set(account, Balance(each.spent, each.held + amount))
        keys = "\n".join(account.key for account in accounts)
        self._made.append(
            (id_, self._owner, self._run, amount.nano, amount.tokens, keys, self._expires_at)
        )
        return Held(id_, amount, accounts)

    def end(self, held: Held, charged: Amount) -> None:
        """Charge in place of the hold. One that is gone was charged in full when its lease ended,
        or by the process that took the run over: only what goes beyond it is added."""
        deleted = self._connection.execute("DELETE FROM holds WHERE id = ?", (held.id,)).rowcount
        given_back = held.amount
        if not deleted:
            given_back = Amount()
            charged = Amount(
                max(0, charged.nano - held.amount.nano), max(0, charged.tokens - held.amount.tokens)
            )
        self.load(held.accounts)
        for account in held.accounts:
            each = self._balances[account.key]
            self._set(account, Balance(each.spent + charged, each.held - given_back))

    def renew(self) -> None:
        """All holds of this process last for another lease."""
        self._connection.execute(
            "UPDATE holds SET expires_at = ? WHERE owner = ?", (self._expires_at, self._owner)
        )

    def open_run(self, account: Account, spent: Amount) -> None:
        """Charge what earlier processes of the run held; its account says at least `spent`."""
        self._charge("run = ? AND owner <> ?", (self._run, self._owner))
        self.load([account])
        each = self._balances[account.key]
        most = Amount(max(each.spent.nano, spent.nano), max(each.spent.tokens, spent.tokens))
        if most != each.spent:
            self._set(account, Balance(most, each.held))

    def prune(self) -> None:
        """Drop accounts that nobody asks for any more, after the crashed ones were charged."""
        self.charge_expired()
        self._connection.execute(
            "DELETE FROM accounts WHERE keep_until < ? AND held_nano = 0 AND held_tokens = 0",
            (int(self._now),),
        )

    @property
    def balances(self) -> dict[str, Balance]:
        """All that was read or changed."""
        return self._balances

    def write(self) -> None:
        """Write what was changed since."""
        self._connection.executemany(
            "INSERT INTO accounts VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (key) DO UPDATE SET "
            "spent_nano = excluded.spent_nano, spent_tokens = excluded.spent_tokens, "
            "held_nano = excluded.held_nano, held_tokens = excluded.held_tokens, "
            "keep_until = max(keep_until, excluded.keep_until)",
            [
                (
                    key,
                    self._balances[key].spent.nano,
                    self._balances[key].spent.tokens,
                    self._balances[key].held.nano,
                    self._balances[key].held.tokens,
                    keep_until,
                )
                for key, keep_until in self._changed.items()
            ],
        )
        self._connection.executemany("INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?)", self._made)
        self._changed.clear()
        self._made.clear()

    def charge_expired(self) -> None:
        """Charge what processes held that have ended without a word: their calls may be billed."""
        if not self._looked_for_expired:
            self._looked_for_expired = True
            for nano, tokens in self._charge("expires_at <= ?", (self._now,)):
                self.expired_calls += 1
                self.expired += Amount(nano, tokens)

    def _charge(self, which: str, values: tuple[object, ...]) -> list[tuple[int, int]]:
        """Charge these holds: nano-USD and tokens of each."""
        rows = self._connection.execute(
            f"SELECT id, nano, tokens, accounts FROM holds WHERE {which}", values
        ).fetchall()
        if not rows:
            return []
        self.write()
        self._connection.executemany("DELETE FROM holds WHERE id = ?", [(row[0],) for row in rows])
        self._connection.executemany(
            "UPDATE accounts SET spent_nano = spent_nano + ?1, spent_tokens = spent_tokens + ?2, "
            "held_nano = held_nano - ?1, held_tokens = held_tokens - ?2 WHERE key = ?3",
            [(nano, tokens, key) for _, nano, tokens, keys in rows for key in keys.split("\n")],
        )
        self._balances |= read_balances(self._connection, list(self._balances))
        return [(nano, tokens) for _, nano, tokens, _ in rows]

    def _set(self, account: Account, balance: Balance) -> None:
        self._balances[account.key] = balance
        self._changed[account.key] = max(self._changed.get(account.key, 0), account.keep_until)

    def _of(self, accounts: Sequence[Account]) -> tuple[Balance, ...]:
        return tuple(self._balances[account.key] for account in accounts)


def read_balances(connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Balance]:
    """What is spent and held on each account; nothing where there is no such account yet."""
    found = dict.fromkeys(keys, _NOTHING)
    for start in range(0, len(keys), _SOME):
        some = keys[start : start + _SOME]
        rows = connection.execute(
            "SELECT key, spent_nano, spent_tokens, held_nano, held_tokens FROM accounts "
            f"WHERE key IN ({', '.join('?' * len(some))})",
            some,
        )
        found |= _balances(rows)
    return found


def find_balances(
    connection: sqlite3.Connection, begin: str, end: str, *, most: int
) -> dict[str, Balance]:
    """Up to `most` accounts whose keys begin and end like that; neither holds % or _."""
    return _balances(
        connection.execute(
            "SELECT key, spent_nano, spent_tokens, held_nano, held_tokens FROM accounts "
            "WHERE key >= ?1 AND key < ?1 || char(1114111) AND key LIKE '%' || ?2 LIMIT ?3",
            (begin, end, most),
        )
    )


def _balances(rows: Iterable[tuple[str, int, int, int, int]]) -> dict[str, Balance]:
    return {
        key: Balance(Amount(spent_nano, spent_tokens), Amount(held_nano, held_tokens))
        for key, spent_nano, spent_tokens, held_nano, held_tokens in rows
    }
