// What the tests of messages say and hear.
#pragma once

#include "core/namespaces.h"
#include "core/stanza.h"
#include "store/sql.h"
#include "tests/support/test_server.h"

#include <string>
#include <string_view>
#include <vector>

namespace epode {

using Texts = std::vector<std::string>;

inline std::string message(std::string_view to, std::string_view body,
                           std::string_view type = "chat", std::string_view more = {}) {
    std::string xml = "<message to='" + std::string{to} + "' type='" + std::string{type} + "'>";
    if (!body.empty()) xml += "<body>" + std::string{body} + "</body>";
    return xml + std::string{more} + "</message>";
}

inline std::string chat(std::string_view to, std::string_view body) { return message(to, body); }

// All messages that came: their text, "error <condition>" for an error, and "late" before what
// waited.
inline Texts heard(TestClient& client) {
    Texts texts;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (!stanza || !stanza->isMessage()) continue;
        if (const Element* error =
                stanza->isError() ? stanza->child("error", ns::client) : nullptr) {
            texts.push_back("error " + std::string{error->firstChild()->name()});
            continue;
        }
        const bool isLate = stanza->child("delay", ns::delay) != nullptr;
        texts.push_back((isLate ? "late " : "") + std::string{stanza->body()});
    }
    return texts;
}

// The id under which an account's archive has a message; "" when it carries none.
inline std::string stanzaId(std::string_view xml) {
    const auto stanza = Stanza::parse(xml);
    const Element* id = stanza ? stanza->child("stanza-id", ns::stanzaIds) : nullptr;
    return id ? std::string{id->get("id")} : "";
}

// ---- stream management

inline void enableSm(TestClient& client) {
    client.send("<enable xmlns='urn:xmpp:sm:3' resume='true'/>");
}

inline void acknowledge(TestClient& client, int handled) {
    client.send("<a xmlns='urn:xmpp:sm:3' h='" + std::to_string(handled) + "'/>");
}

// Asks how much of what it has sent is safe; "" when the server keeps it waiting.
inline std::string askedSafe(TestClient& client) {
    client.forget().send("<r xmlns='urn:xmpp:sm:3'/>");
    for (const auto& xml : client.all())
        if (const auto element = parseXml(xml, ns::client);
            element && (*element)->is("a", ns::streamManagement))
            return std::string{(*element)->get("h")};
    return "";
}

// ---- the store

inline void runSql(TestServer& server, std::string statement) {
    server.wait(server.database().write([statement](SqlConnection& connection) {
        connection.run(statement);
        return true;
    }));
}

// From now on no message can be stored.
inline void breakStoring(TestServer& server) {
    runSql(server,
           "CREATE TRIGGER broken BEFORE INSERT ON archive "
           "BEGIN SELECT RAISE(ABORT, 'broken by the test'); END");
}
inline void repairStoring(TestServer& server) { runSql(server, "DROP TRIGGER broken"); }

inline std::int64_t storedMessages(TestServer& server) {
    return server.wait(server.database().read([](SqlConnection& connection) {
        std::int64_t count = 0;
        connection.run("SELECT count(*) FROM archive", {},
                       [&](const SqlRow& row) { count = row.integer(0); });
        return count;
    }));
}

}  // namespace epode
