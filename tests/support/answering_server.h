// A web server of the fewest lines: it keeps each request, and answers all alike.
#pragma once

#include "tests/net/net_support.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <vector>

namespace epode::test {

class AnsweringServer {
public:
    explicit AnsweringServer(Listener::Settings settings = {}) : server_{std::move(settings)} {
        server_.run([this] {
            server_.whenAccepted = [this](RecordingUser& user) {
                ++accepted_;
                user.whenData = [this, &user](std::string_view) { take(user); };
            };
        });
    }
    // The timer ends before its loop does, on its thread.
    ~AnsweringServer() {
        server_.run([this] {
            server_.whenAccepted = {};
            server_.users.clear();
            dripping_ = {};
        });
    }

    // "" lets the client wait.
    void answer(std::string bytes) {
        const std::lock_guard lock{mutex_};
        answer_ = std::move(bytes);
    }
    void answerStatus(int status, const std::string& body = {}) {
        answer("HTTP/1.1 " + std::to_string(status) + " Said\r\nContent-Length: " +
               std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n" + body);
    }
    // The answer's bytes, one every few milliseconds, and its last one without an end.
    void drip(std::string bytes) {
        const std::lock_guard lock{mutex_};
        answer_ = std::move(bytes);
        drips_ = true;
    }
    std::string url(const std::string& path = "/hook") const {
        return "http://127.0.0.1:" + std::to_string(server_.port()) + path;
    }
    std::uint16_t port() const { return server_.port(); }
    // Connections that were made so far.
    std::size_t accepted() const { return accepted_; }
    std::size_t waiting() {
        const std::lock_guard lock{mutex_};
        return requests_.size();
    }
    // What came, whole requests; forgotten with this.
    std::vector<std::string> taken() {
        const std::lock_guard lock{mutex_};
        return std::exchange(requests_, {});
    }

private:
    void take(RecordingUser& user) {
        const auto head = user.data.find("\r\n\r\n");
        if (head == std::string::npos) return;
        const auto field = user.data.find("Content-Length: ");
        const auto length = field < head ? std::stoul(user.data.substr(field + 16)) : 0;
        if (user.data.size() < head + 4 + length) return;
        const std::lock_guard lock{mutex_};
        requests_.push_back(std::exchange(user.data, {}));
        if (drips_)
            dripOn(user, 0);
        else if (!answer_.empty())
            user.transport->send(answer_);
    }
    void dripOn(RecordingUser& user, std::size_t at) {
        if (user.closes > 0) return;
        user.transport->send(std::string_view{answer_}.substr(std::min(at, answer_.size() - 1), 1));
        dripping_ = Executor::current()->after(std::chrono::milliseconds{5},
                                               [this, &user, at] { dripOn(user, at + 1); });
    }

    std::mutex mutex_;
    std::string answer_ = "HTTP/1.1 204 None\r\nContent-Length: 0\r\n\r\n";
    std::vector<std::string> requests_;
    bool drips_ = false;
    std::atomic<std::size_t> accepted_{0};
    Timer dripping_;
    Server server_;
};

}  // namespace epode::test
