// Requests that the server itself makes of clients and other servers (what can you do? are you
// there?), and their answers. Of one shard.
#pragma once

#include "core/executor.h"
#include "core/stanza.h"
#include "core/unique_function.h"

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

namespace epode {

class Shard;

class Asking {
public:
    // With the answer, a result or an error; null when none came in time, or too much is asked
    // already.
    using Answered = UniqueFunction<void(const StanzaPtr&)>;

    explicit Asking(Shard& shard) : shard_{shard} {}

    // Gives `request` an id of its own and routes it. Its `from` is a host, a served domain or the
    // bare address of an account, where the answer comes to.
    void ask(MutableStanzaPtr request, Duration patience, Answered answered);
    // A result or an error has come to such an address, on any shard. Only whom the request went to
    // can answer it.
    static void answer(Shard& here, const StanzaPtr& stanza);

private:
    struct Question {
        Jid asked;
        Answered answered;
        Timer patience;
    };
    void answer(const StanzaPtr& stanza);
    void end(const std::string& id, const StanzaPtr& answer);

    Shard& shard_;
    std::map<std::string, Question, std::less<>> questions_;
};

}  // namespace epode
