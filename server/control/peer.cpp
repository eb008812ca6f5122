#include "control/peer.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#ifndef SO_PEERGROUPS
#define SO_PEERGROUPS 59
#endif

namespace epode {

namespace {

// Enough for entries of directories with thousands of members per group.
using EntryBuffer = std::vector<char>;
EntryBuffer entryBuffer() { return EntryBuffer(256u << 10); }

std::optional<uid_t> findUser(const std::string& name) {
    auto buffer = entryBuffer();
    passwd entry{};
    passwd* found = nullptr;
    getpwnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return found ? std::optional{found->pw_uid} : std::nullopt;
}

std::optional<gid_t> findGroup(const std::string& name) {
    auto buffer = entryBuffer();
    group entry{};
    group* found = nullptr;
    getgrnam_r(name.c_str(), &entry, buffer.data(), buffer.size(), &found);
    return found ? std::optional{found->gr_gid} : std::nullopt;
}

}  // namespace

std::optional<Peer> peerOf(int socket) {
    ucred credentials{};
    socklen_t bytes = sizeof credentials;
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &credentials, &bytes) != 0) return std::nullopt;
    Peer peer{credentials.uid, {credentials.gid}, credentials.pid};

    std::vector<gid_t> more(64);
    for (int attempt = 0; attempt < 2; ++attempt) {
        bytes = static_cast<socklen_t>(more.size() * sizeof(gid_t));
        if (getsockopt(socket, SOL_SOCKET, SO_PEERGROUPS, more.data(), &bytes) == 0) {
            const auto count = static_cast<std::ptrdiff_t>(bytes / sizeof(gid_t));
            peer.groups.insert(peer.groups.end(), more.begin(), more.begin() + count);
            break;
        }
        // Too small: the kernel has told the size that is needed.
        more.resize(bytes / sizeof(gid_t) + 1);
    }
    return peer;
}

std::string userName(uid_t user) {
    auto buffer = entryBuffer();
    passwd entry{};
    passwd* found = nullptr;
    getpwuid_r(user, &entry, buffer.data(), buffer.size(), &found);
    return found ? found->pw_name : "uid " + std::to_string(user);
}

PeerRules::PeerRules(const std::vector<std::string>& allow) {
    std::string unknown;
    for (const auto& name : allow) {
        if (name.starts_with('@')) {
            const auto found = findGroup(name.substr(1));
            if (found)
                groups_.push_back(*found);
            else
                unknown += " There is no group \"" + name.substr(1) + "\".";
        } else {
            const auto found = findUser(name);
            if (found)
                users_.push_back(*found);
            else
                unknown += " There is no user \"" + name + "\".";
        }
    }
    if (!unknown.empty()) throw std::runtime_error{"control.allow:" + unknown};
}

bool PeerRules::mayEnter(const Peer& peer) const {
    if (peer.user == 0 || peer.user == geteuid()) return true;
    if (std::find(users_.begin(), users_.end(), peer.user) != users_.end()) return true;
    return std::any_of(peer.groups.begin(), peer.groups.end(), [this](gid_t group) {
        return std::find(groups_.begin(), groups_.end(), group) != groups_.end();
    });
}

}  // namespace epode
