"""Doors for agents that run elsewhere: may this tool run, may these documents be used, who decides.

Their format is ours. What they say of one workflow adds up with its completions where both name the
same session (`x-evalkit-session`).
"""

from collections.abc import Awaitable, Callable
from typing import Any

from evalkit.errors import EvalkitError, UsageError
from evalkit.gateway.doors.openai_errors import error_body
from evalkit.gateway.doors.openai_form import read_function
from evalkit.gateway.doors.reading import Fields, call_of, read_body
from evalkit.gateway.exchange import ClientLeft, Exchange
from evalkit.gateway.identity import identify, opened_route
from evalkit.gateway.refusals import TOO_DEEP, Declined, Refusal, refusal_of, unreadable
from evalkit.gateway.service import Decide, Service
from evalkit.gateway.sessions import HEADER, SessionTable, session_name
from evalkit.ports import Session
from evalkit.records.call import ToolCall
from evalkit.records.case import Document
from evalkit.records.gateway_key import GatewayKey

Act = Callable[[Session, Fields], Awaitable[Any]]


class AgentDoors:
    """Answers one request each."""

    def __init__(self, service: Service, sessions: SessionTable) -> None:
        """Acts in `sessions` of the service."""
        self._service = service
        self._sessions = sessions

    async def authorize(self, exchange: Exchange) -> None:
        """Whether a tool call may be executed: 200, or 403 with the rule and what it waits for."""
        await self._act(exchange, self._authorize)

    async def tool_result(self, exchange: Exchange) -> None:
        """What a tool gave, as the message that the model may get."""
        await self._act(exchange, _tool_result)

    async def retrieve(self, exchange: Exchange) -> None:
        """Documents of one of the project's indexes."""
        await self._act(exchange, _retrieve)

    async def check_documents(self, exchange: Exchange) -> None:
        """Of documents that the application looked up, those that may be used."""
        await self._act(exchange, _check_documents)

    async def end_session(self, exchange: Exchange) -> None:
        """End the session that the header names: its trace is written."""

        async def end(holder: GatewayKey) -> Any:
            name = session_name(exchange)
            if name is None:
                raise unreadable(f"{HEADER} has to name the session", HEADER)
            return {"ended": await self._sessions.end(holder, name)}

        await self._answer(exchange, end)

    async def approvals(self, exchange: Exchange) -> None:
        """What waits for the key's team to decide."""

        async def waiting(holder: GatewayKey) -> Any:
            return {"approvals": self._service.approvals(holder)}

        await self._answer(exchange, waiting)

    async def decide(self, exchange: Exchange, id_: str, says: str) -> None:
        """Grant or deny a call that waits."""

        async def decide(holder: GatewayKey) -> Any:
            fields = await self._fields(exchange)
            decision = _decision(says, fields)
            return self._service.decide(id_, holder, decision)

        await self._answer(exchange, decide)

    async def _authorize(self, session: Session, fields: Fields) -> Any:
        call = _call(Fields(fields.take("call"), "call"))
        tools = [read_function(Fields(item, path))[0] for path, item in fields.items("tools")]
        fields.done()
        session.declare(self._service.known_tools(tools))
        session.authorize(call)
        return {"allowed": True}

    async def _act(self, exchange: Exchange, act: Act) -> None:
        async def work(holder: GatewayKey) -> Any:
            fields = await self._fields(exchange)
            route = opened_route(fields.text("route"), holder, self._service)
            end_user = fields.text_or("user", "")
            if holder.user and end_user not in ("", holder.user):
                message = "the key is one person's, and the request names another user"
                raise unreadable(message, "user")
            async with self._sessions.take(exchange, route, holder, end_user) as session:
                return await exchange.while_listening(act(session, fields))

        await self._answer(exchange, work)

    async def _fields(self, exchange: Exchange) -> Fields:
        body = await exchange.body()
        return read_body(body) if body.strip() else Fields({})

    async def _answer(
        self, exchange: Exchange, work: Callable[[GatewayKey], Awaitable[Any]]
    ) -> None:
        try:
            holder = identify(exchange, self._service)
            await exchange.answer(200, await work(holder), {})
        except Declined as declined:
            await exchange.refuse(declined.refusal, error_body)
        except UsageError as error:
            refusal = Refusal(status=403, kind="permission", code="not_allowed", message=str(error))
            await exchange.refuse(refusal, error_body)
        except EvalkitError as error:
            await exchange.refuse(refusal_of(error), error_body)
        except RecursionError:
            await exchange.refuse(TOO_DEEP, error_body)
        except ClientLeft:
            return


async def _tool_result(session: Session, fields: Fields) -> Any:
    call = _call(Fields(fields.take("call"), "call"))
    error = fields.take("error")
    result = fields.take("result")
    fields.done()
    if error is not None and not isinstance(error, str):
        raise unreadable("error has to be a text", "error")
    message = session.tool_result(call, result, error=error)
    return {
        "message": {
            "role": "tool",
            "tool_call_id": message.tool_call_id,
            "content": message.content,
        }
    }


async def _retrieve(session: Session, fields: Fields) -> Any:
    index, query = fields.text("index"), fields.text("query")
    fields.done()
    return {"documents": await session.retrieve(index, query)}


async def _check_documents(session: Session, fields: Fields) -> Any:
    index, query = fields.text("index"), fields.text_or("query", "")
    given = [_document(Fields(item, path), index) for path, item in fields.items("documents")]
    fields.done()
    kept = await session.check_documents(index, query, given)
    names = [document.id for document in kept]
    left_out = [document.id for document in given if document.id not in names]
    return {"documents": kept, "left_out": left_out}


def _document(fields: Fields, index: str) -> Document:
    scopes = []
    for path, scope in fields.items("scopes"):
        if not isinstance(scope, str):
            raise unreadable(f"{path} has to be a text", path)
        scopes.append(scope)
    document = Document(
        id=fields.text("id"), index=index, text=fields.text("text"), scopes=tuple(scopes)
    )
    fields.done()
    return document


def _call(fields: Fields) -> ToolCall:
    """A call as chat completions write it, or with its arguments as an object."""
    call_id, name = fields.text_or("id", ""), fields.text("name")
    arguments = fields.take("arguments")
    fields.done()
    if isinstance(arguments, dict):
        return ToolCall(id=call_id, name=name, arguments=arguments)
    if not isinstance(arguments, str):
        path = fields.at("arguments")
        raise unreadable(f"{path} has to be an object, or its JSON text", path)
    return call_of(call_id, name, arguments)


def _decision(says: str, fields: Fields) -> Decide:
    expires_s = fields.take("expires_s")
    if expires_s is not None and (
        isinstance(expires_s, bool) or not isinstance(expires_s, int | float) or expires_s <= 0
    ):
        raise unreadable("expires_s has to be a number of seconds above 0", "expires_s")
    decision = Decide(
        says="grant" if says == "grant" else "deny",
        reason=fields.text_or("reason", ""),
        expires_s=expires_s,
        any_arguments=fields.flag("any_arguments"),
    )
    fields.done()
    return decision
