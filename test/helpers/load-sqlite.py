"""Loads an export of tables into SQLite by nothing but tables.json, and prints every row back as JSON.

usage: load-sqlite.py FOLDER
"""

import json
import os
import sqlite3
import sys


def rows_of(path):
    """Values as texts; NULL, which has no quotes, as None."""
    with open(path, encoding="utf-8", newline="") as file:
        text = file.read()
    at, row = 0, []
    while at < len(text):
        if text[at] == '"':
            parts = []
            while True:
                end = text.index('"', at + 1)
                parts.append(text[at + 1 : end])
                at = end + 1
                if text[at] != '"':
                    break
                parts.append('"')
            row.append("".join(parts))
        elif text.startswith("NULL", at):
            row.append(None)
            at += 4
        elif text.startswith("\r\n", at):
            pass
        else:
            raise ValueError("%s: neither NULL nor a quote at %d" % (path, at))
        if text.startswith("\r\n", at):
            yield row
            at, row = at + 2, []
        elif text[at] == ",":
            at += 1
        else:
            raise ValueError("%s: a value does not end at %d" % (path, at))


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def names(columns):
    return ", ".join(quoted(one) for one in columns)


def name_of(table):
    return quoted(table["schema"] + "." + table["name"])


AFFINITY = {"integer": "INTEGER", "float": "REAL", "binary": "BLOB"}


def create(database, table):
    parts = [
        "%s %s%s" % (quoted(one["name"]), AFFINITY.get(one["type"], "TEXT"), " NOT NULL" if one["required"] else "")
        for one in table["columns"]
    ]
    if table["primaryKey"]:
        parts.append("PRIMARY KEY (%s)" % names(table["primaryKey"]))
    parts += ["UNIQUE (%s)" % names(one) for one in table["unique"]]
    parts += [
        "FOREIGN KEY (%s) REFERENCES %s (%s)" % (names(one["columns"]), name_of(one["table"]), names(one["tableColumns"]))
        for one in table["references"]
    ]
    database.execute("CREATE TABLE %s (%s)" % (name_of(table), ", ".join(parts)))


def read(value, column):
    if value is None:
        return None
    if column["type"] == "binary":
        return bytes.fromhex(value)
    if column["type"] == "integer":
        return int(value)
    return value


def shown(value):
    return value.hex() if isinstance(value, bytes) else value if value is None else str(value)


def main(folder):
    with open(os.path.join(folder, "tables.json"), encoding="utf-8") as file:
        # SQLite has no tables without columns.
        tables = [one for one in json.load(file)["tables"] if one["columns"]]
    database = sqlite3.connect(":memory:")
    for table in tables:
        create(database, table)
    for table in tables:
        if table["file"] is None:
            continue
        lines = rows_of(os.path.join(folder, table["file"]))
        assert next(lines) == [one["name"] for one in table["columns"]], table["name"]
        marks = ", ".join("?" for _ in table["columns"])
        values = [[read(value, one) for value, one in zip(row, table["columns"], strict=True)] for row in lines]
        database.executemany("INSERT INTO %s VALUES (%s)" % (name_of(table), marks), values)
        assert len(values) == table["rows"], table["name"]
        for at, one in enumerate(table["columns"]):
            assert sum(row[at] is None for row in values) == one["nulls"], (table["name"], one["name"])
    # A partitioned table has its rows in its partitions, which SQLite does not know.
    partitioned = {(one["schema"], one["name"]) for one in tables if one["kind"] == "partitioned"}
    broken = [
        row
        for row in database.execute("PRAGMA foreign_key_check").fetchall()
        if tuple(row[2].split(".", 1)) not in partitioned
    ]
    assert broken == [], broken[:3]
    for table in tables:
        if table["file"] is None:
            continue
        rows = [[shown(value) for value in row] for row in database.execute("SELECT * FROM " + name_of(table))]
        print(json.dumps({"schema": table["schema"], "name": table["name"], "rows": rows}))


main(sys.argv[1])
