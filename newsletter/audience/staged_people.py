"""The statements of an import: how its people compare with those known, and what is written for them.

Every person of a batch is looked up once: `MEET` notes who they are here, and the statements after it go by that note.
Nothing is compared with what may be there for somebody who is new: ON CONFLICT would look up each of their rows once
more, 3 of 8 us a row on PostgreSQL.
"""

from __future__ import annotations

# One verdict per person, top down. A person whose every named list was left is left out altogether; a suppressed one
# too: an import can never resurrect anybody (threat T20). {merged}, {merged_nothing}: see Stage.
VERDICT = """CASE
        WHEN EXISTS (SELECT 1 FROM audience_suppression AS never WHERE never.canonical = import_person.canonical)
            OR EXISTS (SELECT 1 FROM import_erased AS gone WHERE gone.canonical = import_person.canonical)
            THEN 'suppressed'
        WHEN EXISTS (SELECT 1 FROM import_state AS theirs WHERE theirs.canonical = import_person.canonical AND rank > 1)
            THEN 'departed'
        ELSE coalesce((
            SELECT CASE (  -- of the lists that the file names: 1 = all were left, 3 = on one they never were
                SELECT max(coalesce((SELECT CASE old.state WHEN 'left' THEN 1 ELSE 2 END
                    FROM audience_subscription AS old
                    WHERE old.list_id = list.list_id AND old.subscriber_id = known.id), 3))
                FROM import_list AS list WHERE (list.bit & import_person.lists) <> 0)
                WHEN 1 THEN 'left' WHEN 3 THEN 'updated'
                ELSE CASE WHEN (import_person.name <> '' AND import_person.name <> known.name)
                    OR (import_person.first_name <> '' AND import_person.first_name <> known.first_name
                        AND import_person.worked_out = 0)
                    OR (import_person.last_name <> '' AND import_person.last_name <> known.last_name)
                    OR (import_person.language <> '' AND import_person.language <> known.language)
                    OR (import_person.attributes <> '{}' AND import_person.attributes <> known.attributes AND
                        {merged} <> {merged_nothing})
                    THEN 'updated' ELSE 'unchanged' END
                END
            FROM audience_subscriber AS known WHERE known.canonical = import_person.canonical
        ), 'new') END"""

# Look-ups are written as values, not as joins: whatever PostgreSQL believes of how many people there are (and it may
# have counted them before this very import), it cannot turn one round and read the whole batch for each person.
_KNOWN = "(SELECT known.{column} FROM audience_subscriber AS known WHERE known.canonical = wish.canonical{held})"
_THESE = (
    "FROM import_person AS wish WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = '{verdict}'"
)

# Their rows are ours until the transaction ends, as by every verb of `subscribing`: nobody else changes or erases them
# meanwhile, and so no choice can be written for nobody.
_HELD = _KNOWN.format(column="id", held=" FOR UPDATE")
HOLD = f"SELECT count(one.id) FROM (SELECT {_HELD} AS id {_THESE}) AS one"  # noqa: S608 (pieces of this file)
# Who they are here, as the record is now.
_MEET = "INSERT INTO import_met (id, verdict, canonical, lists, attributes, language) SELECT"
MEET = {
    "new": f"""{_MEET} {_KNOWN.format(column="id", held="")},
        wish.verdict, wish.canonical, wish.lists, wish.attributes, wish.language {_THESE} ORDER BY wish.place""",
    "updated": f"""{_MEET} {_KNOWN.format(column="id", held="")}, wish.verdict, wish.canonical, wish.lists,
        {_KNOWN.format(column="attributes", held="")}, {_KNOWN.format(column="language", held="")}
        {_THESE} ORDER BY wish.place""",
}
ERASED_MEANWHILE = "DELETE FROM import_met WHERE id IS NULL"
NEW = """
    INSERT INTO audience_subscriber (canonical, address, name, first_name, last_name, language, attributes, created)
    SELECT canonical, address, name, first_name, last_name, language, attributes, %(now)s
    FROM import_person WHERE place > %(low)s AND place <= %(high)s AND verdict = 'new' ORDER BY place
"""
UPDATED = """
    UPDATE audience_subscriber AS known SET
        name = coalesce(nullif(wish.name, ''), known.name),
        first_name = CASE WHEN wish.worked_out = 0 THEN coalesce(nullif(wish.first_name, ''), known.first_name)
            WHEN wish.name IN ('', known.name) THEN known.first_name ELSE wish.first_name END,
        last_name = coalesce(nullif(wish.last_name, ''), known.last_name),
        language = coalesce(nullif(wish.language, ''), known.language),
        attributes = {merged}
    FROM import_person AS wish
    WHERE wish.place > %(low)s AND wish.place <= %(high)s AND wish.verdict = 'updated'
        AND known.canonical = wish.canonical
"""
# The proof comes before the subscription: it is written for exactly the subscriptions that the next statement adds.
CHOICES = (
    """
    INSERT INTO audience_consentevent (canonical, list_key, event, channel, wording_id, why, by, at, recorded)
    SELECT wish.canonical, list.key, {event}, 'import', %(wording)s, %(why)s, '', {at}, %(now)s {chosen}
    """,
    """
    INSERT INTO audience_subscription (subscriber_id, list_id, state, changed)
    SELECT wish.id, list.list_id, {state}, {at} {chosen}
    """,
)
# The lists that these people are not on and have not left.
CHOSEN = {
    "new": """FROM import_met AS wish JOIN import_list AS list ON (list.bit & wish.lists) <> 0
        WHERE wish.verdict = 'new'""",
    "updated": """FROM import_met AS wish JOIN import_list AS list ON (list.bit & wish.lists) <> 0
        WHERE wish.verdict = 'updated' AND (SELECT old.id FROM audience_subscription AS old
            WHERE old.list_id = list.list_id AND old.subscriber_id = wish.id) IS NULL""",
}
# What a plain import writes for these words of CHOICES, and what one does that knows of another service.
PLAIN = {"event": "'joined'", "state": "'confirmed'", "at": "%(now)s"}
_PENDING = "EXISTS (SELECT 1 FROM import_state AS t WHERE t.canonical = wish.canonical AND t.state = 'pending')"
THEIRS = {
    "event": f"CASE WHEN {_PENDING} THEN 'asked' ELSE 'joined' END",
    "state": f"CASE WHEN {_PENDING} THEN 'pending' ELSE 'confirmed' END",
    "at": "coalesce((SELECT t.at FROM import_state AS t WHERE t.canonical = wish.canonical), %(now)s)",
}

# No area is given for a person, but a postcode that we know. They are compared anew.
PLACE = {
    "sqlite": """
        UPDATE import_person SET verdict = '', attributes = json_set(attributes, '$.areas', json_array(area.key))
        FROM audience_postcode AS code JOIN audience_area AS area ON area.id = code.area_id
        WHERE code.code = json_extract(import_person.attributes, '$.postcode')
            AND json_extract(import_person.attributes, '$.areas') IS NULL
            AND NOT EXISTS (SELECT 1 FROM audience_subscriber AS known
                WHERE known.canonical = import_person.canonical
                AND json_extract(known.attributes, '$.postcode') = code.code
                AND json_extract(known.attributes, '$.areas') IS NOT NULL)
    """,
    "postgresql": """
        UPDATE import_person SET verdict = '',
            attributes = attributes || jsonb_build_object('areas', jsonb_build_array(area.key))
        FROM audience_postcode AS code JOIN audience_area AS area ON area.id = code.area_id
        WHERE code.code = import_person.attributes ->> 'postcode' AND import_person.attributes -> 'areas' IS NULL
            AND NOT EXISTS (SELECT 1 FROM audience_subscriber AS known
                WHERE known.canonical = import_person.canonical
                AND known.attributes ->> 'postcode' = code.code AND known.attributes -> 'areas' IS NOT NULL)
    """,
}
