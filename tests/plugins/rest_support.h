// What the tests of REST share: a server with tokens, requests with one, live events.
#pragma once

#include "tests/plugins/answers.h"
#include "tests/stream/web_client.h"

#include <Poco/JSON/Array.h>
#include <Poco/JSON/Object.h>
#include <Poco/JSON/Parser.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace epode::rest {

inline const std::string juliets = "juliet@capulet.example";
inline const std::string romeos = "romeo@capulet.example";

using Poco::JSON::Object;

struct Told {
    int status = 0;
    std::string head;
    std::string body;

    Object::Ptr json() const {
        Poco::JSON::Parser parser;
        const auto parsed = parser.parse(body);
        return parsed.extract<Object::Ptr>();
    }
    // A member that is a text; "" when there is none.
    std::string text(const std::string& name) const {
        const auto object = json();
        return object->has(name) ? object->get(name).toString() : std::string{};
    }
    // "404 not-found" of a problem, "200" of what is none.
    std::string outcome() const {
        std::string all = std::to_string(status);
        if (head.find("application/problem+json") == std::string::npos) return all;
        const auto type = text("type");
        return all + " " + type.substr(type.find("#problem-") + 9);
    }
    std::string field(std::string_view name) const {
        const auto at = head.find("\r\n" + std::string{name} + ": ");
        if (at == std::string::npos) return {};
        const auto begin = at + name.size() + 4;
        return head.substr(begin, head.find("\r\n", begin) - begin);
    }
    std::vector<Object::Ptr> list(const std::string& name) const {
        std::vector<Object::Ptr> all;
        const auto array = json()->getArray(name);
        if (!array) throw std::runtime_error{"no list " + name + " in " + body};
        for (std::size_t i = 0; i < array->size(); ++i)
            all.push_back(array->getObject(unsigned(i)));
        return all;
    }
};

inline std::string undoChunks(std::string_view text) {
    std::string whole;
    while (!text.empty()) {
        const auto size = std::strtoul(std::string{text.substr(0, 16)}.c_str(), nullptr, 16);
        const auto begin = text.find("\r\n");
        if (size == 0 || begin == std::string_view::npos) break;
        whole.append(text.substr(begin + 2, size));
        text.remove_prefix(std::min(text.size(), begin + 2 + size + 2));
    }
    return whole;
}

inline Told readTold(const std::string& answer) {
    Told told;
    const auto end = answer.find("\r\n\r\n");
    if (answer.size() < 12 || end == std::string::npos)
        throw std::runtime_error{"no answer: " + answer};
    told.status = std::atoi(answer.c_str() + 9);
    told.head = answer.substr(0, end + 2);
    told.body = answer.substr(end + 4);
    return told;
}

// The folder where the server keeps the key of its tokens.
class StateFolder {
public:
    StateFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "epode-XXXXXX").string();
        if (!::mkdtemp(name.data())) throw std::runtime_error{"no temporary folder"};
        path = name;
        ::setenv("STATE_DIRECTORY", name.c_str(), 1);
    }
    ~StateFolder() {
        ::unsetenv("STATE_DIRECTORY");
        std::error_code ignored;
        std::filesystem::remove_all(path, ignored);
    }
    std::string path;
};

class Stage {
public:
    explicit Stage(std::string_view toml = {}, unsigned shards = 1)
        : server{"plugins.enabled = ['token', 'rest']\nupload.folder = '" + folder_.path +
                     "/uploads'\nupload.threads = 0\n" + std::string{toml},
                 shards} {
        server.addAccount(juliets);
        server.addAccount(romeos);
    }

    Told ask(std::string_view method, std::string_view path, std::string_view token,
             std::string_view body = {}, std::string_view fields = {},
             std::string_view host = "capulet.example") {
        WebClient web{server, {}, true, shard};
        std::string request{method};
        request.append(" /api/v1").append(path).append(" HTTP/1.1\r\nHost: ").append(host);
        request.append("\r\n").append(fields);
        if (!token.empty()) request.append("Authorization: Bearer ").append(token).append("\r\n");
        if (!body.empty() && fields.find("Content-Type") == std::string_view::npos)
            request.append("Content-Type: application/json\r\n");
        if (!body.empty())
            request.append("Content-Length: ").append(std::to_string(body.size())).append("\r\n");
        request.append("\r\n").append(body);
        return readTold(web.ask(request));
    }
    Told get(std::string_view path, std::string_view token) { return ask("GET", path, token); }
    Told post(std::string_view path, std::string_view token, std::string_view body,
              std::string_view fields = {}) {
        return ask("POST", path, token, body, fields);
    }

    // All scopes, or those that are named.
    std::string tokenOf(
        std::string_view name,
        std::string_view scopes = R"(["rest:read","rest:write","rest:send","rest:admin"])") {
        const auto told =
            post("/login", "",
                 R"({"username":")" + std::string{name} + R"(","password":"secret","scopes":)" +
                     std::string{scopes} + "}");
        if (told.status != 200) throw std::runtime_error{"no token: " + told.body};
        return told.text("token");
    }

private:
    StateFolder folder_;

public:
    TestServer server;
    unsigned shard = 0;  // on whose loop requests come in
};

// A connection for live events.
class Events : public WebClient {
public:
    Events(Stage& stage, std::string_view token, std::string_view query = {},
           std::string_view fields = {}, SimLinkSettings settings = {})
        : WebClient{stage.server, settings, true, stage.shard} {
        send("GET /api/v1/events" + std::string{query} + " HTTP/1.1\r\nHost: capulet.example\r\n" +
             std::string{fields} + "Authorization: Bearer " + std::string{token} + "\r\n\r\n");
    }
    Told told() const { return readTold(received); }
    // Takes nothing meanwhile.
    void pause() {
        server_.clientExecutor().post([this] { transport_->pauseReading(); });
        server_.run();
    }
    void resume() {
        server_.clientExecutor().post([this] { transport_->resumeReading(); });
        server_.run();
    }

    struct Event {
        std::string name;
        std::string id;
        Object::Ptr data;
        std::string text(const std::string& member) const {
            return data->has(member) ? data->get(member).toString() : std::string{};
        }
    };
    // What has come so far; of one name, or all.
    std::vector<Event> events(std::string_view name = {}) const {
        std::vector<Event> all;
        const std::string text = undoChunks(told().body);
        for (std::size_t at = 0; at < text.size();) {
            const auto end = text.find("\n\n", at);
            if (end == std::string::npos) break;  // broken off
            Event event;
            for (std::size_t line = at; line < end;) {
                const auto stop = std::min(text.find('\n', line), end);
                const std::string one = text.substr(line, stop - line);
                if (one.starts_with("event: ")) event.name = one.substr(7);
                if (one.starts_with("id: ")) event.id = one.substr(4);
                if (one.starts_with("data: ")) {
                    Poco::JSON::Parser parser;
                    event.data = parser.parse(one.substr(6)).extract<Object::Ptr>();
                }
                line = stop + 1;
            }
            at = end + 2;
            if (!event.name.empty() && (name.empty() || event.name == name)) all.push_back(event);
        }
        return all;
    }
    std::vector<std::string> bodies() const {
        std::vector<std::string> all;
        for (const auto& event : events("message")) all.push_back(event.text("body"));
        return all;
    }
    // For whoever comes back.
    std::string lastId() const {
        std::string last;
        for (const auto& event : events())
            if (!event.id.empty()) last = event.id;
        return last;
    }
};

inline std::string saying(std::string_view to, std::string_view body,
                          std::string_view further = {}) {
    return R"({"to":")" + std::string{to} + R"(","body":")" + std::string{body} + "\"" +
           std::string{further} + "}";
}

}  // namespace epode::rest
