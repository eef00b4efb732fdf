"""`/v1/memory`: a person looks at what is remembered of them, and deletes it."""

import re
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header

from gateway.errors import Refused
from gateway.http.access import Access
from gateway.memory.ratings import RatingStore
from gateway.memory.store import FactStore
from gateway.realtime.session_config import PERSON


def router(facts: FactStore | None, ratings: RatingStore | None, access: Access) -> APIRouter:
    """`GET` and `DELETE /v1/memory`, `DELETE /v1/memory/{id}`.

    The person is named by the secret in the header `Parley-Person`: addresses end up in logs, headers do not.
    """
    routes = APIRouter(prefix="/v1/memory", dependencies=[Depends(access.limited)], tags=["memory"])

    def opened() -> tuple[FactStore, RatingStore]:
        if facts is None or ratings is None:
            raise Refused(
                404, "memory_off", "This server remembers nobody.", fix="Set PARLEY_GATEWAY_MEMORY to a file."
            )
        return facts, ratings

    def person(parley_person: Annotated[str, Header()] = "") -> str:
        if not re.fullmatch(PERSON, parley_person):
            raise Refused(
                400,
                "invalid_person",
                "Whose memory?",
                fix="Send the header Parley-Person: 22 to 128 letters, digits, '-' or '_'.",
            )
        return parley_person

    Stores = Annotated[tuple[FactStore, RatingStore], Depends(opened)]
    Whose = Annotated[str, Depends(person)]

    @routes.get("")
    async def remembered(stores: Stores, whose: Whose) -> dict[str, Any]:
        """All that is remembered of the person: facts, and answers that they rated."""
        facts, ratings = stores
        return {
            "object": "list",
            "data": [asdict(fact) for fact in await facts.facts(whose)],
            "ratings": [asdict(rating) for rating in await ratings.ratings(whose)],
        }

    @routes.delete("")
    async def forget_all(stores: Stores, whose: Whose) -> dict[str, Any]:
        """Forgets the person."""
        return {"deleted": sum([await store.delete(whose) for store in stores])}

    @routes.delete("/{memory_id}")
    async def forget(stores: Stores, whose: Whose, memory_id: str) -> dict[str, Any]:
        """Forgets one fact or one rating."""
        if not sum([await store.delete(whose, memory_id) for store in stores]):
            raise Refused(404, "fact_not_found", "Nothing of that id is remembered of this person.")
        return {"deleted": 1}

    return routes
