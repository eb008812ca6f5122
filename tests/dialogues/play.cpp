#include "tests/dialogues/dialogue.h"
#include "tests/dialogues/pattern.h"
#include "tests/support/test_server.h"

#include <cctype>
#include <functional>
#include <map>

namespace epode::dialogue {

namespace {

class Performance {
public:
    explicit Performance(const Dialogue& dialogue) : server_{dialogue.config, dialogue.shards} {}

    void perform(const Step& step) {
        step_ = &step;
        const std::string_view text = step.text;
        const auto blank = text.find(' ');
        const auto first = text.substr(0, blank);
        const auto rest = blank == text.npos ? std::string_view{} : text.substr(blank + 1);
        if (std::isdigit(static_cast<unsigned char>(text[0]))) return pass(text);
        if (first == "server") return toServer(rest);
        if (first == "disk") return toDisk(rest);
        if (first == "account") return server_.addAccount(rest);
        if (rest.starts_with("is ") && rest.find('@') != rest.npos) {
            names_[std::string{first}] = rest.substr(3);
            return;
        }
        toClient(std::string{first}, rest);
    }

private:
    [[noreturn]] void fail(const std::string& why) const { throw Mistake{step_->line, why}; }

    // "90 s pass", "1 min passes"
    void pass(std::string_view text) {
        const auto verb = text.rfind(" pass");
        const auto duration =
            verb == text.npos ? std::nullopt : parseDuration(text.substr(0, verb));
        if (!duration) fail("nobody knows what this is: " + std::string{text});
        server_.advance(*duration);
    }

    void toServer(std::string_view what) {
        if (what == "restarts") return server_.restart();
        if (what == "crashes") return server_.crash();
        fail("a server restarts or crashes");
    }

    void toDisk(std::string_view what) {
        auto& disk = server_.database();
        if (what == "hangs") return disk.stall();
        if (what == "fails") return disk.fail();
        if (what == "goes on") {
            disk.goOn();
        } else if (what == "is repaired") {
            disk.repair();
        } else {
            fail("a disk hangs, goes on, fails, or is repaired");
        }
        server_.run();
    }

    void toClient(const std::string& name, std::string_view what) {
        if (what == "connects" || what == "connects with TLS") {
            clients_[name] = &server_.connect({}, what.ends_with("TLS"));
        } else if (what == "logs in" || what == "logs in and is available") {
            clients_[name] = &server_.login(jidOf(name), what.ends_with("available"));
        } else if (what == "authenticates") {
            authenticate(name);
        } else if (what == "starts TLS") {
            client(name).startTls();
        } else if (what == "loses the connection") {
            client(name).cut();
        } else if (what == "is disconnected") {
            if (!client(name).isClosed()) fail(name + " is still connected");
        } else if (what == "is connected") {
            if (client(name).isClosed()) fail(name + " is not connected");
        } else if (what.starts_with(">> ")) {
            send(name, what.substr(3));
        } else if (what.starts_with("<< ")) {
            expect(name, what.substr(3));
        } else if (what.starts_with("<~ ")) {
            expectSomewhere(name, what.substr(3));
        } else {
            fail("nobody knows what this is: " + step_->text);
        }
    }

    const std::string& jidOf(const std::string& name) const {
        const auto found = names_.find(name);
        if (found == names_.end())
            fail("who is " + name + "? Say: " + name + " is somebody@capulet.example/somewhere");
        return found->second;
    }

    TestClient& client(const std::string& name) {
        const auto found = clients_.find(name);
        if (found == clients_.end()) fail(name + " has no connection");
        return *found->second;
    }

    // As far as the resource, so that a session can be resumed instead.
    void authenticate(const std::string& name) {
        const auto jid = Jid::parse(jidOf(name)).value();
        server_.addAccount(jid.bareText());
        auto& made = server_.connect({}, true);
        made.sendHeader(jid.domain()).logIn(jid.local()).sendHeader(jid.domain()).forget();
        clients_[name] = &made;
    }

    void send(const std::string& name, std::string_view what) {
        try {
            client(name).send(filled(what, words_));
        } catch (const std::invalid_argument& problem) {
            fail(problem.what());
        }
    }

    void expect(const std::string& name, std::string_view what) {
        auto& one = client(name);
        if (what == "…" || what == "...") {
            one.forget();
            return;
        }
        if (what == "</stream:stream>") {
            if (const auto got = one.next(); !got.empty())
                fail(told(name, what, got, "the stream goes on"));
            if (!one.isStreamClosed()) fail(name + "'s stream is still open");
            return;
        }
        const auto got = one.next();
        if (what == "nothing") {
            if (!got.empty()) fail(told(name, what, got, "something came"));
            return;
        }
        const auto problem = mismatch(what, got, words_);
        if (!problem.empty()) fail(told(name, what, got, problem));
    }

    // Among what came and was not looked at; the rest stays.
    void expectSomewhere(const std::string& name, std::string_view what) {
        auto& kept = held_[name];
        for (auto& xml : client(name).all()) kept.push_back(std::move(xml));
        for (auto one = kept.begin(); one != kept.end(); ++one) {
            if (!mismatch(what, *one, words_).empty()) continue;
            kept.erase(one);
            return;
        }
        std::string all;
        for (const auto& xml : kept) all += (all.empty() ? "" : "\n            ") + xml;
        fail(told(name, what, all, "it is not among them"));
    }

    static std::string told(const std::string& name, std::string_view what, std::string_view got,
                            const std::string& why) {
        std::string shown{what};
        for (auto at = shown.find('\n'); at != shown.npos; at = shown.find('\n', at + 1))
            shown.replace(at, 1, "\n              ");
        return name + " did not get what is expected: " + why + "\n    expected: " + shown +
               "\n    got:      " + (got.empty() ? "nothing" : std::string{got});
    }

    TestServer server_;
    const Step* step_ = nullptr;
    std::map<std::string, std::string> names_;
    std::map<std::string, TestClient*> clients_;
    std::map<std::string, std::vector<std::string>> held_;
    Words words_;
};

}  // namespace

void play(const Dialogue& dialogue) {
    std::optional<Performance> performance;
    try {
        performance.emplace(dialogue);
    } catch (const std::exception& problem) {
        throw Mistake{1, "the server does not start: " + std::string{problem.what()}};
    }
    for (const auto& step : dialogue.steps) {
        try {
            performance->perform(step);
        } catch (const Mistake&) {
            throw;
        } catch (const std::exception& problem) {
            throw Mistake{step.line, problem.what()};
        }
    }
}

}  // namespace epode::dialogue
