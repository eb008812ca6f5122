#include "authority.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/log.h"
#include "core/random.h"
#include "net/fd.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <system_error>

namespace epode::token {

namespace {

const Log tokenLog{"plugin.token"};

const Option<std::string> keyFile{
    .key = "token.keys",
    .fallback = "",
    .help =
        "A file with the public keys (JWK Set, RFC 7517) of who gives out tokens for this host; it "
        "is read again when it changes. Empty: only the server's own tokens are taken.",
};
const Option<std::string> issuer{
    .key = "token.issuer",
    .fallback = "",
    .help = "Who signs with those keys: the claim \"iss\" of its tokens has to be this.",
};
const Option<std::string> audience{
    .key = "token.audience",
    .fallback = "",
    .help =
        "Whom such tokens have to be for (the claim \"aud\"). Empty: the name of the virtual host.",
};
const Option<std::string> accountClaim{
    .key = "token.account_claim",
    .fallback = "preferred_username",
    .help =
        "The claim of such tokens that names the account: its address, or the part before the @.",
};
const Option<std::string> scope{
    .key = "token.scope",
    .fallback = "xmpp",
    .help = "The scope that a token needs for a login. Empty: any token will do.",
};
const Option<std::string> openidConfiguration{
    .key = "token.openid_configuration",
    .fallback = "",
    .help =
        "Where clients whose token is refused learn how to get one: the https address of an OpenID "
        "provider's configuration.",
};
const Option<bool> asPassword{
    .key = "token.as_password",
    .fallback = false,
    .help = "Whether clients that know nothing of tokens may send one as their password (PLAIN).",
};
const Option<Duration> lifetimeMost{
    .key = "token.lifetime_max",
    .fallback = std::chrono::hours{24},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 366}},
    .help = "How long the server's own tokens are valid at most.",
};

// Clocks differ.
constexpr auto leeway = std::chrono::seconds{30};
constexpr std::size_t keyFileBytesMax = 1024 * 1024;
constexpr std::string_view idClaim = "epode_account";

std::string readFile(const std::string& path) {
    std::ifstream file{path, std::ios::binary};
    if (!file) throw std::runtime_error{path + " can't be read"};
    std::string text(keyFileBytesMax + 1, '\0');
    file.read(text.data(), std::streamsize(text.size()));
    text.resize(std::size_t(file.gcount()));
    if (text.size() > keyFileBytesMax) throw std::runtime_error{path + " is too large"};
    return text;
}

template <typename T>
bool contains(const std::vector<T>& list, const T& wanted) {
    return std::find(list.begin(), list.end(), wanted) != list.end();
}

std::int64_t seconds(WallTime time) { return toMilliseconds(time) / 1000; }

}  // namespace

std::vector<OptionRef> tokenOptions() {
    return {
        &keyFile,     &issuer, &audience, &accountClaim, &scope, &asPassword, &openidConfiguration,
        &lifetimeMost};
}

Rules::Rules(const Settings& settings, const std::string& ofHost)
    : host{ofHost},
      keyFile{settings.get(token::keyFile, ofHost)},
      issuer{settings.get(token::issuer, ofHost)},
      audience{settings.get(token::audience, ofHost)},
      accountClaim{settings.get(token::accountClaim, ofHost)},
      scope{settings.get(token::scope, ofHost)},
      openidConfiguration{settings.get(token::openidConfiguration, ofHost)},
      isPassword{settings.get(token::asPassword, ofHost)},
      lifetimeMost{settings.get(token::lifetimeMost, ofHost)} {
    if (audience.empty()) audience = host;
}

Authority::Authority(Rules rules, std::string dataFolder)
    : rules_{std::move(rules)}, dataFolder_{std::move(dataFolder)} {}

bool Authority::hasRead() const {
    const std::lock_guard lock{mutex_};
    return hasRead_;
}

void Authority::readKeys() {
    if (!hasRead()) readOwnKey();
    readForeignKeys();
    const std::lock_guard lock{mutex_};
    hasRead_ = true;
}

void Authority::readOwnKey() {
    try {
        Key key = ownKey(dataFolder_);
        const std::lock_guard lock{mutex_};
        own_.assign(1, std::move(key));
    } catch (const std::exception& failure) {
        tokenLog.error("the server can give out no tokens", {{"problem", failure.what()}});
    }
}

void Authority::readForeignKeys() {
    if (rules_.keyFile.empty()) return;
    struct stat facts{};
    const bool isThere = ::stat(rules_.keyFile.c_str(), &facts) == 0;
    const std::int64_t stamp =
        isThere ? std::int64_t(facts.st_mtim.tv_sec) * 1'000'000'000 + facts.st_mtim.tv_nsec : -1;
    {
        const std::lock_guard lock{mutex_};
        if (std::exchange(fileStamp_, stamp) == stamp) return;
    }
    try {
        auto keys = readKeySet(readFile(rules_.keyFile));
        if (keys.empty()) throw std::runtime_error{"it has no key for RS256, ES256 or HS256"};
        if (rules_.issuer.empty())
            throw std::runtime_error{"token.issuer does not say whose keys they are"};
        const std::lock_guard lock{mutex_};
        foreign_ = std::move(keys);
        tokenLog.info("keys read",
                      {{"host", rules_.host}, {"keys", std::int64_t(foreign_.size())}});
    } catch (const std::exception& failure) {
        tokenLog.error(
            "the file of token.keys is of no use",
            {{"host", rules_.host}, {"file", rules_.keyFile}, {"problem", failure.what()}});
    }
}

// A key speaks for its issuer alone, so that nobody signs in another's name.
std::optional<Token> Authority::read(std::string_view compact, bool& isOwn) const {
    std::vector<Key> own;
    std::vector<Key> foreign;
    {
        const std::lock_guard lock{mutex_};
        own = own_;
        foreign = foreign_;
    }
    auto token = readToken(compact, own);
    isOwn = token.has_value();
    if (isOwn) return token->issuer == rules_.host ? token : std::nullopt;
    token = readToken(compact, foreign);
    return token && token->issuer == rules_.issuer ? token : std::nullopt;
}

Authority::Outcome Authority::check(std::string_view compact, WallTime now) const {
    bool isOwn = false;
    const auto token = read(compact, isOwn);
    if (!token || !token->expires || *token->expires + leeway <= now ||
        (token->notBefore && *token->notBefore - leeway > now) ||
        (token->issued && *token->issued - leeway > now) ||
        !contains(token->audience, isOwn ? rules_.host : rules_.audience))
        return {};
    const std::string name = isOwn ? token->subject : token->claim(rules_.accountClaim);
    auto account =
        name.find('@') == std::string::npos ? Jid::make(name, rules_.host) : Jid::parse(name);
    if (!account || !account->isBare() || !account->hasLocal() || account->domain() != rules_.host)
        return {};
    if (!rules_.scope.empty() && !contains(token->scopes, rules_.scope))
        return {.bearer = {}, .problem = Problem::InsufficientScope};
    Bearer bearer{std::move(*account)};
    if (isOwn) bearer.accountId = std::atoll(token->claim(std::string{idClaim}).c_str());
    if (isOwn && bearer.accountId <= 0) return {};
    return {.bearer = std::move(bearer)};
}

std::string Authority::issue(const Bearer& bearer, std::string_view scopes, WallTime now,
                             WallTime expires) const {
    const auto quoted = [](std::string_view text) {
        std::string json = "\"";
        for (const char c : text) {
            if (c == '"' || c == '\\') json += '\\';
            if (static_cast<unsigned char>(c) >= 0x20) json += c;
        }
        return json + "\"";
    };
    std::string claims =
        "{\"iss\":" + quoted(rules_.host) + ",\"aud\":" + quoted(rules_.host) +
        ",\"sub\":" + quoted(bearer.account.text()) + ",\"scope\":" + quoted(scopes) +
        ",\"iat\":" + std::to_string(seconds(now)) +
        ",\"exp\":" + std::to_string(seconds(expires)) + ",\"jti\":" + quoted(randomId()) + ",\"" +
        std::string{idClaim} + "\":" + std::to_string(bearer.accountId) + "}";
    const std::lock_guard lock{mutex_};
    return own_.empty() ? std::string{} : signToken(own_.front(), claims);
}

Key ownKey(const std::string& dataFolder) {
    constexpr std::size_t secretBytes = 32;
    const std::string path = dataFolder + "/token.key";
    std::string text;
    // Whoever is first writes it; a file that is half written has no name yet.
    const std::string fresh = path + "." + randomId(8);
    if (::access(path.c_str(), F_OK) != 0) {
        ::mkdir(dataFolder.c_str(), 0750);
        Fd file{::open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600)};
        text = encodeBase64(randomBytes(secretBytes)) + "\n";
        const bool isWritten =
            file && ::write(file.get(), text.data(), text.size()) == ssize_t(text.size()) &&
            ::fsync(file.get()) == 0;
        const int error = errno;
        const bool isPlaced =
            isWritten && (::link(fresh.c_str(), path.c_str()) == 0 || errno == EEXIST);
        ::unlink(fresh.c_str());
        if (!isPlaced)
            throw std::runtime_error{path + " can't be written: " +
                                     std::generic_category().message(isWritten ? errno : error)};
    }
    text = readFile(path);
    while (text.ends_with('\n')) text.pop_back();
    auto secret = decodeBase64(text);
    if (!secret || secret->size() < secretBytes)
        throw std::runtime_error{path + " holds no key; remove it, and all tokens end"};
    Key key;
    key.id = "epode-" + encodeHex(digest(Hash::Sha256, *secret)).substr(0, 16);
    key.secret = std::move(*secret);
    return key;
}

}  // namespace epode::token
