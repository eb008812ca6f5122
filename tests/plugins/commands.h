// What tests of commands in a client share: a server that has commands, and their stages
// (XEP-0050).
#pragma once

#include "control/command_registry.h"
#include "control/plugin_commands.h"
#include "control/user_commands.h"
#include "core/data_form.h"
#include "store/stores.h"
#include "tests/plugins/answers.h"

#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

namespace epode {

struct CommandStage {
    explicit CommandStage(std::string_view toml) : server{toml} { addCommands(); }
    void restart() {
        registrations.clear();
        server.restart();
        addCommands();
        server.run();
    }
    void addCommands() {
        registrations = addUserCommands(registry, server.server());
        for (const auto& [name, entry] : plugins.available())
            for (Command& command : plugins.commands(*entry, server.server()))
                registrations.push_back(registry.add(std::move(command)));
        server.server().setCommands(&registry);
    }

    CommandRegistry registry;
    PluginHost plugins{""};
    TestServer server;
    std::vector<CommandRegistry::Registration> registrations;
};

// Somebody logs in; what he is told at that is there to be read.
inline TestClient& arrive(TestServer& server, const std::string& full) {
    return server.login(full, false).available();
}

// The bodies of what somebody has been sent.
inline std::vector<std::string> bodies(TestClient& client) {
    std::vector<std::string> all;
    for (const auto& xml : client.all()) {
        const auto stanza = Stanza::parse(xml);
        if (stanza && stanza->isMessage() && !stanza->body().empty())
            all.emplace_back(stanza->body());
    }
    return all;
}

// An answer to a command, as a client sees it.
struct CommandAnswer {
    std::string node, session, status, actions;
    std::optional<DataForm> form;
    std::vector<std::string> notes;  // "info: Done."
};

inline std::string execute(TestClient& client, const std::string& to, const std::string& node) {
    return client.ask("set",
                      "<command xmlns='http://jabber.org/protocol/commands' node='" + node +
                          "' action='execute'/>",
                      to);
}

inline CommandAnswer command(const std::string& answer) {
    INFO(answer);
    CommandAnswer read;
    const auto parsed = parseXml(payload(answer));
    REQUIRE(parsed);
    const Element& command = **parsed;
    REQUIRE(command.is("command", "http://jabber.org/protocol/commands"));
    read.node = command.get("node");
    read.session = command.get("sessionid");
    read.status = command.get("status");
    if (const Element* actions = command.child("actions"))
        for (const Element& action : actions->children())
            read.actions += (read.actions.empty() ? "" : " ") + std::string{action.name()};
    for (const Element& child : command.children())
        if (child.name() == "note")
            read.notes.push_back(std::string{child.get("type")} + ": " + std::string{child.text()});
    if (const Element* x = command.child("x", ns::dataForms)) read.form = DataForm::read(*x);
    return read;
}

inline std::string act(TestClient& client, const std::string& to, const CommandAnswer& asked,
                       const std::string& action, const std::string& content = {}) {
    return client.ask("set",
                      "<command xmlns='http://jabber.org/protocol/commands' node='" + asked.node +
                          "' sessionid='" + asked.session + "'" +
                          (action.empty() ? "" : " action='" + action + "'") + ">" + content +
                          "</command>",
                      to);
}

using FormValues = std::vector<std::pair<std::string, std::string>>;

// Fills in the form that was asked for; a value of several lines is one of a text-multi.
inline std::string answer(TestClient& client, const std::string& to, const CommandAnswer& asked,
                          const FormValues& values, const std::string& action = {}) {
    DataForm form{FormKind::Submit, asked.form ? asked.form->formType() : std::string_view{}};
    for (const auto& [var, value] : values) form.addLines(var, value);
    Document parent{"parent", ns::commands};
    return act(client, to, asked, action, toXml(form.addTo(*parent)));
}

// Of an error its type, condition and the condition of XEP-0050.
inline std::string commandOutcome(const std::string& answer) {
    const auto stanza = parseXml(answer, ns::client);
    const auto error = stanza ? StanzaError::read(**stanza) : std::nullopt;
    if (!error || error->application.empty()) return outcome(answer);
    return outcome(answer) + " " + error->application;
}

inline std::set<std::string> commandNodes(TestClient& client, const std::string& to) {
    const auto read =
        parseXml(payload(client.ask("get",
                                    "<query xmlns='http://jabber.org/protocol/disco#items' "
                                    "node='http://jabber.org/protocol/commands'/>",
                                    to)));
    REQUIRE(read);
    std::set<std::string> nodes;
    for (const Element& item : (*read)->children()) {
        CHECK(item.get("jid") == to);
        nodes.emplace(item.get("node"));
    }
    return nodes;
}

}  // namespace epode
