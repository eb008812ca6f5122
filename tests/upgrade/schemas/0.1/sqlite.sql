CREATE TABLE account(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            jid TEXT NOT NULL UNIQUE,
            domain TEXT NOT NULL,
            is_disabled INTEGER NOT NULL,
            created_at INTEGER NOT NULL,
            last_login_at INTEGER,
            last_activity_at INTEGER);
CREATE TABLE account_removal(account INTEGER PRIMARY KEY);
CREATE TABLE archive(
            entry INTEGER PRIMARY KEY,
            account INTEGER NOT NULL,
            stamp INTEGER NOT NULL,
            conversation INTEGER NOT NULL,
            flags INTEGER NOT NULL,
            chance BLOB NOT NULL,
            stanza BLOB NOT NULL);
CREATE TABLE archive_delivered(
            account INTEGER PRIMARY KEY,
            stamp INTEGER NOT NULL);
CREATE TABLE archive_preference(
            account INTEGER PRIMARY KEY,
            fallback INTEGER NOT NULL,
            always TEXT NOT NULL,
            never TEXT NOT NULL);
CREATE TABLE conversation(
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            account INTEGER NOT NULL,
            peer TEXT NOT NULL,
            UNIQUE(account, peer));
CREATE TABLE conversation_span(
            account INTEGER NOT NULL,
            conversation INTEGER NOT NULL,
            span INTEGER NOT NULL,
            PRIMARY KEY(account, conversation, span)) WITHOUT ROWID;
CREATE TABLE credential(
            account INTEGER NOT NULL,
            hash TEXT NOT NULL,
            salt BLOB NOT NULL,
            iterations INTEGER NOT NULL,
            stored_key BLOB NOT NULL,
            server_key BLOB NOT NULL,
            PRIMARY KEY(account, hash)) WITHOUT ROWID;
CREATE TABLE keyed(
            component TEXT NOT NULL,
            account INTEGER NOT NULL,
            name TEXT NOT NULL,
            value BLOB NOT NULL,
            PRIMARY KEY(account, component, name));
CREATE TABLE roster_item(
            account INTEGER NOT NULL,
            jid TEXT NOT NULL,
            version INTEGER NOT NULL,
            is_removed INTEGER NOT NULL,
            name TEXT NOT NULL,
            groups TEXT NOT NULL,
            subscription INTEGER NOT NULL,
            is_asking INTEGER NOT NULL,
            is_approved INTEGER NOT NULL,
            PRIMARY KEY(account, jid)) WITHOUT ROWID;
CREATE TABLE roster_request(
            account INTEGER NOT NULL,
            jid TEXT NOT NULL,
            asked_at INTEGER NOT NULL,
            stanza BLOB NOT NULL,
            PRIMARY KEY(account, jid)) WITHOUT ROWID;
CREATE TABLE roster_version(
            account INTEGER PRIMARY KEY,
            version INTEGER NOT NULL,
            forgotten INTEGER NOT NULL);
CREATE TABLE saved_session(
            node TEXT NOT NULL,
            id TEXT NOT NULL,
            account INTEGER NOT NULL,
            resource TEXT NOT NULL,
            expires_at INTEGER NOT NULL,
            state BLOB NOT NULL,
            PRIMARY KEY(node, id));
CREATE TABLE schema_version(component TEXT NOT NULL, number INTEGER NOT NULL, applied_at INTEGER NOT NULL, summary TEXT NOT NULL, PRIMARY KEY(component, number));
CREATE INDEX account_by_domain ON account(domain, jid);
CREATE UNIQUE INDEX archive_by_stamp ON archive(account, stamp, conversation, flags);
CREATE INDEX archive_unarchived ON archive(account, stamp) WHERE (flags & 2) = 0;
CREATE INDEX roster_item_by_version ON roster_item(account, version);
CREATE INDEX saved_session_by_account ON saved_session(account);
INSERT INTO account VALUES(1, 'juliet@capulet.example', 'capulet.example', 0, 1790000000000, NULL, NULL);
INSERT INTO account VALUES(2, 'romeo@montague.example', 'montague.example', 1, 1790000000000, NULL, NULL);
INSERT INTO archive VALUES(1, 1, 1790000000000, 1, 30, X'75E8882EBED81CFED98C', X'3C6D6573736167653E3C626F64793E313B2074776F277320C3A93C2F626F64793E3C2F6D6573736167653E');
INSERT INTO archive_preference VALUES(1, 0, '', 'paris@x.example
');
INSERT INTO conversation VALUES(1, 1, 'romeo@montague.example');
INSERT INTO conversation_span VALUES(1, 1, 426769);
INSERT INTO credential VALUES(1, 'SHA-1', X'73616C74', 4096, X'7373737373737373737373737373737373737373', X'7676767676767676767676767676767676767676');
INSERT INTO credential VALUES(1, 'SHA-256', X'73616C74', 4096, X'7373737373737373737373737373737373737373737373737373737373737373', X'7676767676767676767676767676767676767676767676767676767676767676');
INSERT INTO credential VALUES(2, 'SHA-1', X'73616C74', 4096, X'7373737373737373737373737373737373737373', X'7676767676767676767676767676767676767676');
INSERT INTO credential VALUES(2, 'SHA-256', X'73616C74', 4096, X'7373737373737373737373737373737373737373737373737373737373737373', X'7676767676767676767676767676767676767676767676767676767676767676');
INSERT INTO keyed VALUES('private', 1, 'note capulet', X'3C6E6F746520786D6C6E733D27636170756C6574273E69742773207B6461726B7D3B2022736F6F6E223C2F6E6F74653E');
INSERT INTO roster_item VALUES(1, 'romeo@montague.example', 1, 0, 'Romeo', '7:Friends6:Lovers', 3, 0, 0);
INSERT INTO roster_request VALUES(1, 'paris@x.example', 1790000000000, X'3C70726573656E63652F3E');
INSERT INTO roster_version VALUES(1, 1, 0);
INSERT INTO schema_version VALUES('store.account', 1, 1795190488075, 'accounts and their keys');
INSERT INTO schema_version VALUES('store.archive', 1, 1795190488075, 'the archive, its conversations and preferences');
INSERT INTO schema_version VALUES('store.keyed', 1, 1795190488082, 'values of plugins by account and key');
INSERT INTO schema_version VALUES('store.roster', 1, 1795190488085, 'contacts and subscription requests');
INSERT INTO schema_version VALUES('store.session', 1, 1795190488090, 'stream-management sessions over a restart');
