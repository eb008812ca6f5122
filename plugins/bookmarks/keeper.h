// Keeps the forms of an account's bookmarks in step. The items of XEP-0402 are the truth; the
// <storage/> of XEP-0048 (a node of its own, which private XML storage shows as well) follows them,
// and a change of it is told from what it was before.
#pragma once

#include "plugin/plugin.h"
#include "storage.h"
#include "store/keyed_store.h"

#include <cstddef>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace epode::bookmarks {

class Keeper {
public:
    Keeper(Server& server, std::string host, std::size_t roomsMax);

    // All on the account's shard. Returns when the forms are in step: those of before this plugin
    // are brought together at the first request.
    Task<void> ready(Jid account);
    // The <storage/>, as XML; empty when there is none.
    Task<std::string> storage(Jid account);
    // A client of XEP-0049 gives a new one.
    Task<std::optional<StanzaError>> keepStorage(Jid account, std::string storage);

    // A client has published a <storage/>, having seen `before`; or has changed an item.
    void storageGiven(const Jid& account, std::string before, std::string given);
    void itemsChanged(const Jid& account);

    std::size_t roomsMax() const { return roomsMax_; }
    // Personal eventing, or null.
    Pep* pep() const;

private:
    struct Change {
        std::string before;
        std::string given;
    };
    // Of an account, while it is in memory.
    struct Step {
        bool isInStep = false;
        bool isRunning = false;
        bool isDirty = false;
        std::deque<Change> changes;
        std::vector<Callback<bool>::Resolve> waiting;
    };
    struct Slot {
        std::shared_ptr<Step> step;
    };
    class Running;

    std::shared_ptr<Step> stepOf(const Jid& account) const;
    void runSoon(const Jid& account, const std::shared_ptr<Step>& step);
    Task<void> run(Jid account, std::shared_ptr<Step> step);
    Task<void> bringTogether(Jid account);
    Task<void> apply(Jid account, Change change);
    Task<void> follow(Jid account, std::optional<std::string> storage);
    Task<void> publish(Jid account, std::string id, std::string conference);
    Task<std::vector<PepItem>> items(Jid account) const;
    Task<std::optional<PepItem>> storageItem(Jid account) const;

    Server& server_;
    const std::string host_;
    const std::size_t roomsMax_;
    KeyedStore privateXml_;  // of the plugin `private`, from before
};

// What marks our own publications.
inline constexpr std::string_view origin = "bookmarks";
// How nodes of both namespaces are configured.
PepNode itemsNode();
PepNode storageNode();

}  // namespace epode::bookmarks
