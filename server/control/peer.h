// Who is at the other end of a UNIX socket, and whether they may come in.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace epode {

struct Peer {
    uid_t user = 0;
    std::vector<gid_t> groups;  // the main one and the supplementary ones
    pid_t process = 0;
};

// As the kernel knows it; nothing when it doesn't.
std::optional<Peer> peerOf(int socket);

// "root", or "uid 1000" for a user without a name.
std::string userName(uid_t user);

class PeerRules {
public:
    // `allow` holds names of users, and of groups with an @ before them. Throws std::runtime_error,
    // naming all that do not exist.
    explicit PeerRules(const std::vector<std::string>& allow);

    bool mayEnter(const Peer& peer) const;
    // False: only root and the server's own user.
    bool allowsOthers() const { return !users_.empty() || !groups_.empty(); }

private:
    std::vector<uid_t> users_;
    std::vector<gid_t> groups_;
};

}  // namespace epode
