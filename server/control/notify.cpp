#include "control/notify.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>

namespace epode {

namespace {

// The message has one variable a line; a status with a line break would be read as another.
std::string oneLine(std::string_view text) {
    std::string line{text};
    for (char& letter : line) {
        if (letter == '\n' || letter == '\r') letter = ' ';
    }
    return line;
}

std::optional<std::int64_t> numberFromEnvironment(const char* name) {
    const char* text = std::getenv(name);
    if (!text) return std::nullopt;
    std::int64_t number = 0;
    const char* end = text + std::strlen(text);
    const auto [stop, failure] = std::from_chars(text, end, number);
    if (failure != std::errc{} || stop != end || number <= 0) return std::nullopt;
    return number;
}

}  // namespace

bool notifyService(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (!path || (path[0] != '/' && path[0] != '@')) return false;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    const auto length = std::strlen(path);
    if (length >= sizeof address.sun_path) return false;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // Linux' abstract names

    const int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return false;
    const auto addressBytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    const auto sent = sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL,
                             reinterpret_cast<const sockaddr*>(&address), addressBytes);
    close(descriptor);
    return sent == static_cast<ssize_t>(state.size());
}

bool notifyReady(std::string_view status) {
    return notifyService("READY=1\nSTATUS=" + oneLine(status));
}

bool notifyReloading() {
    // The time stamp is what Type=notify-reload asks for (systemd 253); older ones ignore it.
    timespec now{};
    clock_gettime(CLOCK_MONOTONIC, &now);
    const auto microseconds = std::int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
    return notifyService("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(microseconds));
}

bool notifyStopping(std::string_view status) {
    return notifyService("STOPPING=1\nSTATUS=" + oneLine(status));
}

bool notifyStatus(std::string_view status) { return notifyService("STATUS=" + oneLine(status)); }

bool notifyWatchdog() { return notifyService("WATCHDOG=1"); }

std::optional<Duration> watchdogInterval() {
    // The variables may be inherited from a service that started us; then they are not meant for
    // us.
    const auto owner = numberFromEnvironment("WATCHDOG_PID");
    if (owner && *owner != getpid()) return std::nullopt;
    const auto microseconds = numberFromEnvironment("WATCHDOG_USEC");
    if (!microseconds) return std::nullopt;
    return std::chrono::microseconds{*microseconds} / 2;
}

}  // namespace epode
