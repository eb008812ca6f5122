// The page on which people chat: Converse.js with our own additions, served at "/".
#include "client_folder.h"
#include "page.h"

#include "core/log.h"
#include "net/http_files.h"
#include "plugin/plugin.h"

namespace epode {
namespace {

const Log webLog{"web"};

constexpr std::string_view forever = "public, max-age=31536000, immutable";
constexpr std::string_view askAgain = "no-cache";

const Option<std::string> titleOption{
    .key = "web.title",
    .fallback = "Epode",
    .help = "The name that the page shows.",
};
const Option<bool> encryptionOption{
    .key = "web.end_to_end_encryption",
    .fallback = true,
    .help =
        "Whether the page offers end-to-end encryption (OMEMO). Its library is under the GPL-3.0.",
};
const Option<bool> foreignMediaOption{
    .key = "web.foreign_media",
    .fallback = false,
    .help =
        "Whether the page shows pictures and sounds that lie on other servers. Those then learn "
        "the "
        "addresses of people who read; else it shows links.",
};
const Option<std::string> directoryOption{
    .key = "web.directory",
    .fallback = "",
    .help = "The folder of the web client. Empty: the one that was installed with the server.",
    .scope = Scope::Server,
};

// Of others: their values are known by their keys.
const Option<bool> registrationEnabled{.key = "registration.enabled", .help = ""};
const Option<std::string> roomsDomain{
    .key = "muc.domain", .fallback = "conference.{host}", .help = ""};
const Option<std::string> publicUrl{.key = "http.public_url", .help = ""};
const Option<std::string> uploadUrl{.key = "upload.public_url", .help = ""};
const Option<std::string> bucketUrl{.key = "upload.s3_url", .help = ""};
const Option<std::string> bucketDownloads{.key = "upload.s3_downloads", .help = ""};
const Option<std::int64_t> tlsPort{.key = "http.tls_port", .fallback = 5281, .help = ""};

class Web final : public Plugin {
public:
    explicit Web(PluginContext& context)
        : client_{readClientFolder(context.value(directoryOption))} {
        const auto get = [](std::string path) {
            return HttpRoute{.methods = {HttpMethod::Get}, .path = std::move(path)};
        };
        context.route(get("/"), this, &Web::showPage);
        if (!client_.isThere()) {
            if (context.isFirstHost())
                webLog.warning("the web client isn't installed; there is no page",
                               {{"directory", context.value(directoryOption)}});
            return;
        }
        const PageFacts facts = factsOf(context);
        page_ = pageText(client_, facts);
        manifest_ = manifestText(client_, facts);
        policy_ = pagePolicy(facts);
        context.route(get("/manifest.webmanifest"), this, &Web::showManifest);
        // For whom an invitation is, the page finds out (XEP-0445).
        context.route(get("/invite/*"), this, &Web::showPage);
        context.route(get("/favicon.ico"), this, &Web::showIcon);
        context.route(get("/client/*"), this, &Web::showFile);
    }

private:
    PageFacts factsOf(PluginContext& context) const;
    void showPage(const HttpExchangePtr& exchange);
    void showManifest(const HttpExchangePtr& exchange);
    void showIcon(const HttpExchangePtr& exchange);
    void showFile(const HttpExchangePtr& exchange);

    const ClientFolder client_;
    std::string page_;
    std::string manifest_;
    std::string policy_;
};

PageFacts Web::factsOf(PluginContext& context) const {
    PageFacts facts;
    facts.domain = context.host();
    facts.title = context.value(titleOption);
    facts.rooms = context.value(roomsDomain);
    if (const auto at = facts.rooms.find("{host}"); at != std::string::npos)
        facts.rooms.replace(at, 6, context.host());
    facts.registers = context.value(registrationEnabled);
    facts.encrypts = context.value(encryptionOption) && client_.has("converse/libomemo.esm.min.js");
    facts.foreignMedia = context.value(foreignMediaOption);
    const std::string& url = context.value(publicUrl);
    const auto port = context.value(tlsPort);
    if (url.starts_with("https://"))
        facts.secureUrl = originOf(url);
    else if (url.empty() && port != 0)
        facts.secureUrl =
            "https://" + context.host() + (port == 443 ? "" : ":" + std::to_string(port));
    const std::string& files = context.value(uploadUrl);
    const std::string own = url.empty() ? facts.secureUrl : originOf(url);
    if (auto origin = files.empty() ? own : originOf(files); !origin.empty())
        facts.fileOrigins.push_back(std::move(origin));
    // Where a file's address leads on to; a policy is about the end of the way, too.
    if (context.value(bucketDownloads) == "redirect")
        if (auto origin = originOf(context.value(bucketUrl)); !origin.empty())
            facts.fileOrigins.push_back(std::move(origin));
    return facts;
}

void Web::showPage(const HttpExchangePtr& exchange) {
    if (!client_.isThere()) {
        exchange->answer(HttpResponse::error(
            404, "This server has no web page: it was built or installed without the web client."));
        return;
    }
    exchange->answer(HttpResponse::of("text/html; charset=utf-8", page_)
                         .set("Cache-Control", askAgain)
                         .set("Content-Security-Policy", policy_)
                         .set("Referrer-Policy", "no-referrer")
                         .set("Cross-Origin-Opener-Policy", "same-origin"));
}

void Web::showManifest(const HttpExchangePtr& exchange) {
    exchange->answer(
        HttpResponse::of("application/manifest+json", manifest_).set("Cache-Control", askAgain));
}

// What browsers ask for by themselves.
void Web::showIcon(const HttpExchangePtr& exchange) {
    serveHttpFile(exchange, {.path = findHttpFile(client_.files(), "icon-192.png"),
                             .contentType = "image/png",
                             .cacheControl = "public, max-age=86400"});
}

// "/client/<version>/<file>". A page that was opened before an update gets today's file, and keeps
// it no longer than that page lives.
void Web::showFile(const HttpExchangePtr& exchange) {
    std::string_view rest{exchange->request().path};
    rest.remove_prefix(std::string_view{"/client/"}.size());
    const auto slash = rest.find('/');
    const std::string_view version = rest.substr(0, slash);
    const std::string_view name = slash == std::string_view::npos ? "" : rest.substr(slash + 1);
    serveHttpFile(exchange,
                  {.path = findHttpFile(client_.files(), name),
                   .contentType = std::string{contentTypeOf(name)},
                   .cacheControl = std::string{version == client_.version ? forever : askAgain}});
}

const PluginInfo info{
    .name = "web",
    .summary = "The page on which people chat in a browser",
    .options = {&titleOption, &encryptionOption, &foreignMediaOption, &directoryOption},
};

}  // namespace

DECLARE_PLUGIN(Web, info)

}  // namespace epode
