#include "admit.h"

#include "core/namespaces.h"
#include "core/uuid.h"
#include "route/server.h"
#include "route/shard.h"

namespace epode {

void admitToRoom(Server& server, const std::string& host, const std::string& room,
                 const Jid& person) {
    const auto from = Jid::parse(host);
    const auto to = Jid::parse(room);
    if (!from || !to || !to->hasLocal()) return;
    Shard& shard = server.shardOf(to->text());
    shard.executor().post([&shard, from = *from, to = *to, person = person.bare()] {
        // Rooms elsewhere have no reason to believe us.
        if (!shard.served(to.domain())) return;
        auto message = Stanza::message(StanzaType::Normal, from, to,
                                       Uuid::at(shard.executor().wallNow()).text());
        message->edit().add("x", ns::mucUser).add("invite").set("to", person.text());
        shard.server().route(message);
    });
}

}  // namespace epode
