// What tests of rooms say and hear.
#pragma once

#include "tests/plugins/answers.h"

#include <string>
#include <utility>
#include <vector>

namespace epode {

inline const std::string coven = "coven@conference.capulet.example";
inline const std::string mucNs = "http://jabber.org/protocol/muc";

using Texts = std::vector<std::string>;
using FieldList = std::vector<std::pair<std::string, std::string>>;

inline std::string joinXml(const std::string& nick, const std::string& inside = {},
                           const std::string& room = coven) {
    return "<presence to='" + room + "/" + nick + "'><x xmlns='" + mucNs + "'>" + inside +
           "</x></presence>";
}

// What came from a room, one word after the other: of presence "+nick affiliation/role codes", or
// "-nick …" when it is unavailable; of messages "nick: body", or "nick# subject"; of errors
// "!presence auth forbidden".
inline std::string heard(const std::string& xml) {
    const auto stanza = parseXml(xml, ns::client);
    if (!stanza) return xml;
    const Element& root = **stanza;
    const auto from = Jid::parse(root.get("from"));
    const std::string nick = from ? std::string{from->resource()} : std::string{};
    if (root.get("type") == "error") return "!" + std::string{root.name()} + " " + outcome(xml);
    const Element* x = root.child("x", mucNs + "#user");
    std::string codes;
    if (x)
        for (const Element& status : x->children())
            if (status.name() == "status") codes += " " + std::string{status.get("code")};
    if (root.name() == "presence") {
        const Element* item = x ? x->child("item") : nullptr;
        std::string text = root.get("type") == "unavailable" ? "-" : "+";
        text += nick;
        if (item) {
            text +=
                " " + std::string{item->get("affiliation")} + "/" + std::string{item->get("role")};
            if (!item->get("jid").empty()) text += " " + std::string{item->get("jid")};
            if (!item->get("nick").empty()) text += " >" + std::string{item->get("nick")};
            if (const Element* actor = item->child("actor"))
                text += " by " + std::string{actor->get("nick")};
            if (const Element* reason = item->child("reason"))
                text += " (" + std::string{reason->text()} + ")";
        }
        if (x && x->child("destroy")) {
            text += " destroyed";
            if (!x->child("destroy")->get("jid").empty())
                text += " " + std::string{x->child("destroy")->get("jid")};
        }
        return text + codes;
    }
    if (root.name() == "message") {
        std::string text = root.get("type") == "groupchat" ? "" : "*";
        text += nick;
        if (const Element* body = root.child("body", ns::client))
            text += ": " + std::string{body->text()};
        else if (const Element* subject = root.child("subject", ns::client))
            text += "# " + std::string{subject->text()};
        if (root.child("delay", ns::delay)) text += " delayed";
        if (x && x->child("invite"))
            text += " invited by " + std::string{x->child("invite")->get("from")};
        if (x && x->child("decline"))
            text += " declined by " + std::string{x->child("decline")->get("from")};
        return text + codes;
    }
    return xml;
}

inline Texts hears(TestClient& client) {
    Texts all;
    for (const auto& xml : client.all()) all.push_back(heard(xml));
    return all;
}

inline std::string adminXml(const std::string& item) {
    return "<query xmlns='" + mucNs + "#admin'>" + item + "</query>";
}
inline std::string affiliate(const std::string& jid, const std::string& affiliation,
                             const std::string& more = {}) {
    return adminXml("<item jid='" + jid + "' affiliation='" + affiliation + "'>" + more +
                    "</item>");
}
inline std::string giveRole(const std::string& nick, const std::string& role,
                            const std::string& more = {}) {
    return adminXml("<item nick='" + nick + "' role='" + role + "'>" + more + "</item>");
}
inline std::string ownerXml(const std::string& inside = {}) {
    return "<query xmlns='" + mucNs + "#owner'>" + inside + "</query>";
}
inline std::string configXml(const FieldList& fields) {
    std::string xml = "<x xmlns='jabber:x:data' type='submit'>";
    if (!fields.empty())
        xml +=
            "<field var='FORM_TYPE' type='hidden'><value>" + mucNs + "#roomconfig</value></field>";
    for (const auto& [var, value] : fields)
        xml += "<field var='" +
               (var.find('#') == std::string::npos ? "muc#roomconfig_" + var : var) + "'><value>" +
               value + "</value></field>";
    return ownerXml(xml + "</x>");
}

// Juliet owns a room; Romeo, Tybalt and Mercutio are there to enter it.
struct Coven {
    explicit Coven(const FieldList& config = {}, std::string_view toml = {}, unsigned shards = 3)
        : server{toml, shards},
          juliet{server.login("juliet@capulet.example/balcony")},
          romeo{server.login("romeo@montague.example/orchard")},
          tybalt{server.login("tybalt@capulet.example/street")} {
        juliet.send(joinXml("juliet"));
        CHECK(hears(juliet) ==
              Texts{"+juliet owner/moderator juliet@capulet.example/balcony 110 170 201", "# "});
        CHECK(outcome(juliet.ask("set", configXml(config), coven)) == "result");
        juliet.forget();
    }
    // Enters, and returns what he hears.
    Texts joins(TestClient& client, const std::string& nick, const std::string& inside = {}) {
        client.forget();
        client.send(joinXml(nick, inside));
        return hears(client);
    }
    void everybodyIn() {
        joins(romeo, "romeo");
        joins(tybalt, "tybalt");
        forget();
    }
    void forget() {
        juliet.forget();
        romeo.forget();
        tybalt.forget();
    }
    std::string configures(const FieldList& config) {
        return outcome(juliet.ask("set", configXml(config), coven));
    }
    void says(TestClient& client, const std::string& text, const std::string& more = {}) {
        client.send("<message type='groupchat' id='m' to='" + coven + "'><body>" + text +
                    "</body>" + more + "</message>");
    }

    TestServer server;
    TestClient& juliet;
    TestClient& romeo;
    TestClient& tybalt;
};

}  // namespace epode
