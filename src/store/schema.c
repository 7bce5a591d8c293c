/*
 * The tables of store.db.  A released row of the migration table is never edited; a change is a new
 * row, with a fixture of the format before it in tests/fixtures/store-N.
 *
 * Conventions: times are ms since 1970; ids never return; rows above ~200 bytes live in rowid
 * tables with a unique index, small ones WITHOUT ROWID.
 *
 *   meta, counter        storeFormat, clean; the next body, message and segment
 *   domain … route, audit  owned by accounts/
 *   mailbox, subscription, entry_chunk, tombstone, change, keyword
 *   message, envelope, copy, fetched, opened, delivery
 *   segment, body, body_log, body_doubt
 *   q_*                  owned by queue/; q_item.state 0 is "waiting": the index of the scheduler
 *
 * Invariants
 *   S1  meta.storeFormat names the last row applied; each row is one transaction.
 *   S2  A store newer than this program is refused in one line, untouched.
 *   S3  Before a migration of an existing store stands a snapshot of the whole database.
 */
#include "store/schema.h"

#include <stdio.h>
#include <unistd.h>
#include "base/banned.h"

static const char meta_1[] =
    "CREATE TABLE meta(key TEXT PRIMARY KEY, value) WITHOUT ROWID;"
    "CREATE TABLE counter(name TEXT PRIMARY KEY, next INTEGER NOT NULL) WITHOUT ROWID;"
    "INSERT INTO counter VALUES ('body', 1), ('message', 1), ('segment', 1);";

/* Accounts */
static const char accounts_1[] =
    "CREATE TABLE domain(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE);"
    "CREATE TABLE account("
    "  id INTEGER PRIMARY KEY AUTOINCREMENT,"
    "  domain INTEGER NOT NULL DEFAULT 0,"
    "  address TEXT NOT NULL UNIQUE,"
    "  quota INTEGER NOT NULL DEFAULT 0,"        /* bytes; 0: none */
    "  used INTEGER NOT NULL DEFAULT 0,"         /* bytes of all entries */
    "  modseq INTEGER NOT NULL DEFAULT 0,"       /* of the last change */
    "  next_mailbox INTEGER NOT NULL DEFAULT 1," /* INBOX is 1 */
    "  change_floor INTEGER NOT NULL DEFAULT 0," /* changes up to here are forgotten */
    "  doubt INTEGER NOT NULL DEFAULT 0,"        /* messages below may have been fetched: a crash */
    "  created INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE address("
    "  address TEXT PRIMARY KEY, account INTEGER NOT NULL, kind INTEGER NOT NULL DEFAULT 0)"
    "  WITHOUT ROWID;"
    "CREATE INDEX address_account ON address(account);"
    "CREATE TABLE alias("
    "  alias TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY(alias, target)) WITHOUT ROWID;"
    "CREATE TABLE route("
    "  domain TEXT PRIMARY KEY, host TEXT NOT NULL, port INTEGER NOT NULL,"
    "  gather_ms INTEGER NOT NULL DEFAULT 0, gather_count INTEGER NOT NULL DEFAULT 0)"
    "  WITHOUT ROWID;"
    "CREATE TABLE audit("
    "  id INTEGER PRIMARY KEY, at INTEGER NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL,"
    "  object TEXT NOT NULL, origin TEXT NOT NULL);"
    /* what a removed account leaves behind is purged when retention has passed */
    "CREATE TABLE account_gone(account INTEGER PRIMARY KEY, at INTEGER NOT NULL);"
    "CREATE TRIGGER account_removed AFTER DELETE ON account BEGIN"
    "  INSERT OR IGNORE INTO account_gone VALUES (old.id, unixepoch() * 1000);"
    " END;";

/* Mailboxes */
static const char mailboxes_1[] =
    "CREATE TABLE mailbox("
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    "  name TEXT NOT NULL, role INTEGER NOT NULL DEFAULT 0, uidvalidity INTEGER NOT NULL,"
    "  uidnext INTEGER NOT NULL DEFAULT 1, modseq INTEGER NOT NULL DEFAULT 0,"
    "  total INTEGER NOT NULL DEFAULT 0, unseen INTEGER NOT NULL DEFAULT 0,"
    "  size INTEGER NOT NULL DEFAULT 0, created INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX mailbox_key ON mailbox(account, mailbox);"
    "CREATE UNIQUE INDEX mailbox_name ON mailbox(account, name);"
    "CREATE TABLE entry_chunk(" /* data: chunk.c */
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    "  first INTEGER NOT NULL, modseq INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE UNIQUE INDEX entry_chunk_key ON entry_chunk(account, mailbox, first);"
    "CREATE TABLE tombstone(" /* ids rise with at; data: a chunk of the entries as they were */
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    "  modseq INTEGER NOT NULL, at INTEGER NOT NULL, data BLOB NOT NULL);"
    "CREATE INDEX tombstone_key ON tombstone(account, mailbox, modseq);"
    "CREATE TABLE change(" /* ids rise with at; uids: change.c */
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, type INTEGER NOT NULL,"
    "  modseq INTEGER NOT NULL, mailbox INTEGER NOT NULL, kind INTEGER NOT NULL,"
    "  at INTEGER NOT NULL, uids BLOB NOT NULL);"
    "CREATE INDEX change_key ON change(account, type, modseq);"
    "CREATE TABLE keyword("
    "  account INTEGER NOT NULL, bit INTEGER NOT NULL, name TEXT NOT NULL,"
    "  PRIMARY KEY(account, bit)) WITHOUT ROWID;";

/* Messages */
static const char messages_1[] =
    "CREATE TABLE message("
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, body INTEGER NOT NULL,"
    "  size INTEGER NOT NULL," /* prefix + body */
    "  internaldate INTEGER NOT NULL, zone INTEGER NOT NULL,"
    "  mailbox INTEGER NOT NULL, uid INTEGER NOT NULL," /* its first place */
    "  queue_id INTEGER NOT NULL DEFAULT 0, thread INTEGER NOT NULL DEFAULT 0,"
    "  parser_version INTEGER NOT NULL DEFAULT 0,"
    "  subject TEXT NOT NULL, message_id TEXT NOT NULL, preview TEXT NOT NULL,"
    "  prefix BLOB NOT NULL, thread_keys BLOB NOT NULL, envelope BLOB NOT NULL,"
    "  bodystructure BLOB NOT NULL);"
    "CREATE INDEX message_body ON message(body);"
    "CREATE INDEX message_queue ON message(queue_id) WHERE queue_id > 0;"
    "CREATE TABLE copy(" /* entries and tombstones that hold a message, when more than one */
    "  message INTEGER PRIMARY KEY, extra INTEGER NOT NULL);"
    "CREATE TABLE fetched(message INTEGER PRIMARY KEY);"
    "CREATE TABLE opened(account INTEGER PRIMARY KEY);" /* since the last clean stop */
    "CREATE TABLE delivery(" /* ids rise with at; account 0: recipients elsewhere */
    "  id INTEGER PRIMARY KEY, account INTEGER NOT NULL, delivery_id BLOB NOT NULL,"
    "  message INTEGER NOT NULL, mailbox INTEGER NOT NULL, uid INTEGER NOT NULL,"
    "  at INTEGER NOT NULL);"
    "CREATE UNIQUE INDEX delivery_key ON delivery(account, delivery_id);";

/* Bodies */
static const char bodies_1[] =
    "CREATE TABLE segment(" /* bytes: end of the last record; live: bytes of records with a row */
    "  id INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, live INTEGER NOT NULL,"
    "  own INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE body("
    "  id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  length INTEGER NOT NULL);"
    "CREATE TABLE body_doubt(body INTEGER PRIMARY KEY);";

/* Queue */
static const char queue_1[] =
    "CREATE TABLE q_message(" /* body 0: finished, or born in its mailbox */
    "  id INTEGER PRIMARY KEY, sender TEXT NOT NULL, envid TEXT NOT NULL, ret INTEGER NOT NULL,"
    "  created INTEGER NOT NULL, expires INTEGER NOT NULL, hold_until INTEGER NOT NULL,"
    "  body INTEGER NOT NULL, size INTEGER NOT NULL, prefix BLOB NOT NULL, subject TEXT NOT NULL,"
    "  message_id TEXT NOT NULL, account INTEGER NOT NULL, flags INTEGER NOT NULL);"
    "CREATE INDEX q_message_body ON q_message(body) WHERE body > 0;"
    "CREATE INDEX q_message_account ON q_message(account, id) WHERE account > 0;"
    "CREATE TABLE q_item(" /* passed: when an attempt that a crash left open began; else 0 */
    "  id INTEGER PRIMARY KEY, message INTEGER NOT NULL, destination TEXT NOT NULL,"
    "  priority INTEGER NOT NULL, due INTEGER NOT NULL, epoch INTEGER NOT NULL DEFAULT 0,"
    "  owner INTEGER NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0,"
    "  crashes INTEGER NOT NULL DEFAULT 0, passed INTEGER NOT NULL DEFAULT 0,"
    "  state INTEGER NOT NULL, last_reply TEXT);"
    "CREATE INDEX q_item_waiting ON q_item(destination, priority, due) WHERE state = 0;"
    "CREATE INDEX q_item_message ON q_item(message);"
    "CREATE TABLE q_recipient("
    "  message INTEGER NOT NULL, n INTEGER NOT NULL, item INTEGER NOT NULL, address TEXT NOT NULL,"
    "  orcpt TEXT NOT NULL, notify INTEGER NOT NULL, state INTEGER NOT NULL, reply TEXT,"
    "  attempts INTEGER NOT NULL, account INTEGER NOT NULL, mailbox INTEGER NOT NULL,"
    "  uid INTEGER NOT NULL, entry_message INTEGER NOT NULL, done_at INTEGER NOT NULL,"
    "  PRIMARY KEY(message, n)) WITHOUT ROWID;"
    "CREATE TABLE q_destination("
    "  name TEXT PRIMARY KEY, next_attempt INTEGER NOT NULL DEFAULT 0,"
    "  failures INTEGER NOT NULL DEFAULT 0, last_reply TEXT, last_at INTEGER) WITHOUT ROWID;";

/* Whoever lets go of a body puts it in doubt; the purger looks whether anybody else holds it.
 */
static const char triggers_1[] =
    "CREATE TRIGGER message_body_left AFTER DELETE ON message BEGIN"
    "  INSERT OR IGNORE INTO body_doubt VALUES (old.body);"
    " END;"
    "CREATE TRIGGER q_message_body_left AFTER DELETE ON q_message WHEN old.body > 0 BEGIN"
    "  INSERT OR IGNORE INTO body_doubt VALUES (old.body);"
    " END;"
    "CREATE TRIGGER q_message_body_changed AFTER UPDATE OF body ON q_message"
    " WHEN old.body <> new.body BEGIN"
    "  INSERT OR IGNORE INTO body_doubt VALUES (old.body);"
    " END;";

/* Format 2: subscriptions, Recoverable, envelopes in rows of their own. */
static const char mailboxes_2[] =
    "ALTER TABLE account ADD COLUMN uidvalidity INTEGER NOT NULL DEFAULT 0;" /* highest given */
    "UPDATE account SET uidvalidity = (SELECT coalesce(max(uidvalidity), 0) FROM mailbox m"
    "  WHERE m.account = account.id);"
    "ALTER TABLE mailbox ADD COLUMN recent INTEGER NOT NULL DEFAULT 1;" /* view.h: view_recent */
    "UPDATE mailbox SET recent = uidnext;"
    "CREATE TABLE subscription("
    "  account INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY(account, name)) WITHOUT ROWID;"
    "INSERT INTO subscription SELECT account, name FROM mailbox;"
    "INSERT INTO mailbox(account, mailbox, name, role, uidvalidity, created)"
    "  SELECT id, next_mailbox, 'Recoverable' || CASE WHEN EXISTS (SELECT 1 FROM mailbox m WHERE"
    "  m.account = account.id AND m.name = 'Recoverable') THEN ' ' || next_mailbox ELSE '' END, 7,"
    "  max(uidvalidity + 1, unixepoch()), unixepoch() * 1000 FROM account;"
    "UPDATE account SET next_mailbox = next_mailbox + 1,"
    "  uidvalidity = max(uidvalidity + 1, unixepoch());"
    /* first, last: uids in Recoverable; else data.  expired: only views keep it any longer */
    "ALTER TABLE tombstone ADD COLUMN first INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tombstone ADD COLUMN last INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE tombstone ADD COLUMN expired INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX tombstone_hidden ON tombstone(at) WHERE first = 0;"
    "CREATE INDEX tombstone_shown ON tombstone(at) WHERE first > 0;";

static const char messages_2[] =
    "CREATE TABLE envelope(" /* of message id; parser_version of all derived parts */
    "  id INTEGER PRIMARY KEY, parser_version INTEGER NOT NULL, internaldate INTEGER NOT NULL,"
    "  zone INTEGER NOT NULL, envelope BLOB NOT NULL);"
    "INSERT INTO envelope SELECT id, length(envelope) > 0, internaldate, zone, envelope"
    "  FROM message ORDER BY id;"
    "ALTER TABLE message DROP COLUMN envelope;"
    "ALTER TABLE message DROP COLUMN parser_version;"
    "CREATE TRIGGER message_envelope_left AFTER DELETE ON message BEGIN"
    "  DELETE FROM envelope WHERE id = old.id;"
    " END;";

/* Format 3: the bodies of small commits, until their segment is synced. */
static const char bodies_3[] =
    "CREATE TABLE body_log("
    "  id INTEGER PRIMARY KEY, segment INTEGER NOT NULL, at INTEGER NOT NULL,"
    "  data BLOB NOT NULL);";

const struct migration schema_migrations[] = {
    {1, {meta_1, accounts_1, mailboxes_1, messages_1, bodies_1, queue_1, triggers_1}},
    {2, {mailboxes_2, messages_2}},
    {3, {bodies_3}},
};
const size_t schema_migration_count = sizeof(schema_migrations) / sizeof(*schema_migrations);

static int64_t schema_format(struct db *db)
{
    if (!sql_number(db, 0, "SELECT count(*) FROM sqlite_schema WHERE name = 'meta'", ""))
        return 0;
    return sql_number(db, 0, "SELECT value FROM meta WHERE key = 'storeFormat'", "");
}

static bool schema_snapshot(struct db *db, const char *path, int64_t format)
{
    char copy[4096];
    int n = snprintf(copy, sizeof(copy), "%s.before-%lld", path, (long long)format);
    if (n < 0 || (size_t)n >= sizeof(copy))
        return false;
    unlink(copy); /* of a try that was cut short */
    return db_copy_to(db, copy);
}

bool schema_migrate(struct db *db, const char *path, const struct migration *rows, size_t count,
                    struct buf *error)
{
    int64_t have = schema_format(db), newest = rows[count - 1].format;
    bool fresh = have == 0;
    if (have > newest) {
        buf_printf(error,
                   "%s has format %lld, this program knows up to %lld: use the newer program, or "
                   "restore the snapshot it made",
                   path, (long long)have, (long long)newest);
        return false;
    }
    for (size_t i = 0; i < count && !sql_failed(db); i++) {
        if (rows[i].format <= have)
            continue;
        if (!fresh && !schema_snapshot(db, path, rows[i].format))
            break;
        db_begin(db);
        for (int k = 0; k < MIGRATION_SCRIPTS && rows[i].scripts[k]; k++)
            db_script(db, rows[i].scripts[k]);
        sql_exec(db, "INSERT OR REPLACE INTO meta VALUES ('storeFormat', ?)", "i", rows[i].format);
        db_commit(db);
        have = rows[i].format;
    }
    if (sql_failed(db))
        buf_printf(error, "%s: %s", path, db_error(db));
    return !sql_failed(db);
}
