// Commands in a chat client (XEP-0050): what a plugin lets people do by forms.
//
// A command is a function of the answers that it has got so far: called with none it asks its first
// question (or is done at once), called with one it asks the next, and so on. It keeps nothing
// between the calls, so that a client can go back, repeat itself, or never come back. The plugin
// adhoc does the rest: sessions, their limits, the checks of an answer against its question.
#pragma once

#include "core/data_form.h"
#include "core/stanza_error.h"
#include "core/task.h"
#include "route/iq.h"

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace epode {

class Host;
class Shard;

// A call of a command; lives until the task is done.
struct AdHocCall {
    Jid caller;  // the full address
    Host& host;
    Shard& shard;
    std::vector<DataForm> answers;  // each fits its question
};

struct AdHocNote {
    enum class Kind : std::uint8_t { Info, Warn, Error };
    std::string text;
    Kind kind = Kind::Info;
};

// What a command says next.
class AdHocReply {
public:
    // A question; the answer to the last one completes the command.
    enum class Order : std::uint8_t { Last, MoreToCome };
    static AdHocReply ask(DataForm question, Order order = Order::Last) {
        AdHocReply reply;
        reply.form_ = std::move(question);
        reply.isQuestion_ = true;
        reply.isLast_ = order == Order::Last;
        return reply;
    }
    static AdHocReply done() { return {}; }
    static AdHocReply done(DataForm result) {
        AdHocReply reply;
        reply.form_ = std::move(result);
        return reply;
    }
    static AdHocReply failed(StanzaError error) {
        AdHocReply reply;
        reply.error_ = std::move(error);
        return reply;
    }
    // Sentences for people beside it. What is done and has failed has one of kind Error.
    AdHocReply& note(std::string text, AdHocNote::Kind kind = AdHocNote::Kind::Info) {
        notes_.push_back({std::move(text), kind});
        return *this;
    }
    // Adds to the <x/> of the form what no field can say.
    AdHocReply& extend(std::function<void(Element& x)> extension) {
        extension_ = std::move(extension);
        return *this;
    }

    bool isQuestion() const { return isQuestion_; }
    bool isLast() const { return isLast_; }
    const std::optional<StanzaError>& error() const { return error_; }
    const std::optional<DataForm>& form() const { return form_; }
    const std::vector<AdHocNote>& notes() const { return notes_; }
    const std::function<void(Element&)>& extension() const { return extension_; }

private:
    std::optional<DataForm> form_;
    std::optional<StanzaError> error_;
    std::vector<AdHocNote> notes_;
    std::function<void(Element&)> extension_;
    bool isQuestion_ = false;
    bool isLast_ = false;
};

struct AdHocCommand {
    std::string node;
    std::string name;  // for people
    // Of the host, or of each account, for its owner alone.
    Addressee addressee = Addressee::Host;
    // To whom it is offered; without it: to the users of the host.
    std::function<bool(const Jid& caller, const Host& host)> isFor = {};
    std::function<Task<AdHocReply>(const AdHocCall&)> run = {};
};

}  // namespace epode
