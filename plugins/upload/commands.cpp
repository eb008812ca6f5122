#include "commands.h"

#include "service.h"

#include "route/server.h"

#include <algorithm>
#include <charconv>
#include <memory>

namespace epode::upload {

namespace {

struct UploadCommands {
    explicit UploadCommands(Server& s) : server{s} {}

    Task<CommandResult> list(CommandCall& call) {
        const auto uploads = Uploads::of(server);
        FileStore::Listing listing;
        if (call.has("account")) listing.owner = call.jid("account").bare().text();
        if (call.has("host")) listing.host = call.text("host");
        if (call.has("before")) listing.before = call.integer("before");
        listing.most = call.has("most") ? call.integer("most") : 100;
        const WallTime now = call.executor().wallNow();
        const auto files = co_await uploads->store().list(listing, now);
        auto result = CommandResult::table({"number", "account", "name", "type", "size", "purpose",
                                            "uploaded", "kept until", "address"});
        for (const StoredFile& file : files) {
            const Limits limits{*server.settings(), file.host};
            const bool isKept = file.expires >= farFuture;
            result.row({file.id, file.owner, file.name, file.type, Bytes{std::uint64_t(file.bytes)},
                        toText(file.purpose), file.created, isKept ? Cell{} : Cell{file.expires},
                        urlOf(limits, file)});
        }
        co_return result;
    }

    Task<CommandResult> remove(CommandCall& call) {
        const auto uploads = Uploads::of(server);
        std::vector<std::int64_t> ids;
        for (const std::string& word : call.texts("file")) {
            const auto id = co_await numberOf(uploads, word);
            if (id == 0)
                co_return CommandResult::refusal("not-found", "There is no file " + word + ".",
                                                 "`epodectl upload list` shows them.");
            ids.push_back(id);
        }
        const std::string anybody;
        const auto doomed = co_await uploads->store().doom(std::move(ids), anybody);
        uploads->wake();
        co_return CommandResult::message(
            std::to_string(doomed) + (doomed == 1 ? " file was deleted." : " files were deleted."));
    }

    Task<CommandResult> stats(CommandCall&) {
        const auto uploads = Uploads::of(server);
        const auto usage = co_await uploads->store().usage();
        auto result = CommandResult::table({"host", "files", "size", "may be"});
        for (const std::string& host : server.hosts()) {
            const auto own = std::find_if(usage.begin(), usage.end(),
                                          [&](const HostUsage& one) { return one.host == host; });
            const bool isUsed = own != usage.end();
            result.row({host, isUsed ? own->files : 0,
                        Bytes{std::uint64_t(isUsed ? std::max<std::int64_t>(own->bytes, 0) : 0)},
                        server.settings()->get(hostBytesOption, host)});
        }
        result.fact("free on the disk", Bytes{uploads->storage()->freeBytes()});
        co_return result;
    }

    Task<CommandResult> move(CommandCall& call) {
        const auto uploads = Uploads::of(server);
        const auto moving = uploads->moving();
        if (!moving)
            co_return CommandResult::message(
                "There is nothing to move: no bucket is configured (upload.s3_url).");
        if (!moving->claim())
            co_return CommandResult::refusal("conflict", "Somebody is moving them already.");
        struct Release {
            MovingStorage& storage;
            ~Release() { storage.release(); }
        } const release{*moving};
        auto list = [moving] { return moving->left(); };
        const auto places = co_await offload(uploads->workers(), list);
        std::int64_t moved = 0;
        std::string problem;
        const auto total = std::int64_t(places.size());
        for (const std::string& place : places) {
            if (call.isAbandoned()) break;
            call.progress({"moving files to the bucket", moved, total});
            auto step = [moving, &place]() -> std::string {
                try {
                    moving->move(place);
                    return {};
                } catch (const std::exception& failure) {
                    return failure.what();
                }
            };
            problem = co_await offload(uploads->workers(), step);
            if (!problem.empty()) break;
            ++moved;
        }
        if (!problem.empty())
            co_return CommandResult::refusal(
                "failed",
                std::to_string(moved) + " of " + std::to_string(total) +
                    " files were moved, then: " + problem,
                "The others are served from the folder; the command goes on where it was.");
        co_return CommandResult::message(std::to_string(moved) +
                                         (moved == 1 ? " file was moved." : " files were moved."));
    }

    // Of a number, or of an address; 0 when it is neither.
    Task<std::int64_t> numberOf(std::shared_ptr<Uploads> uploads, std::string word) {
        std::int64_t id = 0;
        const auto parsed = std::from_chars(word.data(), word.data() + word.size(), id);
        if (parsed.ec == std::errc{} && parsed.ptr == word.data() + word.size()) co_return id;
        constexpr std::string_view folder = "/upload/";
        const auto at = word.find(folder);
        if (at == std::string::npos) co_return 0;
        std::string token = word.substr(at + folder.size());
        token.resize(std::min(token.find('/'), token.size()));
        const auto file = co_await uploads->store().find(std::move(token));
        co_return file && file->state == FileState::Stored ? file->id : 0;
    }

    Server& server;
};

}  // namespace

std::vector<Command> uploadCommands(Server& server) {
    auto commands = std::make_shared<UploadCommands>(server);
    const auto run = [&commands](Task<CommandResult> (UploadCommands::*handler)(CommandCall&)) {
        return [commands, handler](CommandCall& call) { return ((*commands).*handler)(call); };
    };
    Argument most =
        optionArgument("most", ArgumentKind::Integer, "How many at most; 100 without it");
    most.least = 1;
    most.most = 10000;
    Argument before = optionArgument("before", ArgumentKind::Integer,
                                     "Only those with smaller numbers: the next page of the list");
    before.least = 1;
    return {
        {.name = "upload list",
         .summary = "Lists uploaded files, the newest first",
         .arguments = {optionArgument("account", ArgumentKind::Jid, "Only those of this account"),
                       optionArgument("host", ArgumentKind::Host, "Only those of this host"), most,
                       before},
         .permission = Permission::Operate,
         .examples = {{"upload list --account juliet@capulet.example", "what juliet has uploaded"}},
         .run = run(&UploadCommands::list)},
        {.name = "upload delete",
         .summary = "Deletes uploaded files",
         .arguments = {{.name = "file",
                        .repeats = Repeats::Yes,
                        .help = "The number of a file, or its address"}},
         .permission = Permission::Operate,
         .danger = Danger::Dangerous,
         .run = run(&UploadCommands::remove)},
        {.name = "upload move",
         .summary = "Moves uploaded files from the folder to the bucket",
         .details =
             "For a server that has got a bucket (upload.s3_url) after it had files. They are "
             "served all the while, from where they are, and each is removed from the folder when "
             "it is safe in the bucket. Interrupted, the command goes on where it was.",
         .permission = Permission::Operate,
         .run = run(&UploadCommands::move)},
        {.name = "upload stats",
         .summary = "Shows how much is uploaded",
         .permission = Permission::Watch,
         .run = run(&UploadCommands::stats)},
    };
}

}  // namespace epode::upload
