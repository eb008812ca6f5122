#include "authority.h"

#include "core/base64.h"
#include "core/digest.h"
#include "core/json_writer.h"
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
const Option<std::string> keysUrl{
    .key = "token.keys_url",
    .fallback = "",
    .help =
        "The https address of such a set (\"jwks_uri\" of an OpenID provider). It is fetched again "
        "now and then, and when a token names a key that is not known yet.",
};
const Option<Duration> keysEvery{
    .key = "token.keys_refresh",
    .fallback = std::chrono::hours{1},
    .range = {std::chrono::minutes{1}, std::chrono::hours{24 * 30}},
    .help = "How often token.keys_url is asked for its keys.",
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
constexpr std::string_view markClaim = "epode_password";
constexpr std::string_view noPassword = "none";
// Not more often than this, whatever tokens strangers send, and however often it fails.
constexpr Duration betweenFetches = std::chrono::seconds{30};

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
    return {&keyFile, &keysUrl,    &keysEvery,           &issuer,      &audience, &accountClaim,
            &scope,   &asPassword, &openidConfiguration, &lifetimeMost};
}

Rules::Rules(const Settings& settings, const std::string& ofHost)
    : host{ofHost},
      keyFile{settings.get(token::keyFile, ofHost)},
      keysUrl{settings.get(token::keysUrl, ofHost)},
      keysEvery{settings.get(token::keysEvery, ofHost)},
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
        fromFile_ = std::move(keys);
        tokenLog.info("keys read",
                      {{"host", rules_.host}, {"keys", std::int64_t(fromFile_.size())}});
    } catch (const std::exception& failure) {
        tokenLog.error(
            "the file of token.keys is of no use",
            {{"host", rules_.host}, {"file", rules_.keyFile}, {"problem", failure.what()}});
    }
}

bool Authority::shallFetch(Reason reason, SteadyTime now) {
    if (rules_.keysUrl.empty()) return false;
    const std::lock_guard lock{mutex_};
    if (asked_) {
        const bool isEarly = reason == Reason::UnknownKey || hasFailed_;
        if (now - *asked_ < (isEarly ? betweenFetches : rules_.keysEvery)) return false;
    }
    asked_ = now;
    return true;
}

void Authority::takeFetched(const std::string& json, const std::string& problem) {
    try {
        if (!problem.empty()) throw std::runtime_error{problem};
        auto keys = readKeySet(json);
        // What anybody may read is no secret.
        std::erase_if(keys, [](const Key& key) { return key.algorithm == Algorithm::Hs256; });
        if (keys.empty()) throw std::runtime_error{"it has no key for RS256 or ES256"};
        if (rules_.issuer.empty())
            throw std::runtime_error{"token.issuer does not say whose keys they are"};
        const std::lock_guard lock{mutex_};
        fetched_ = std::move(keys);
        hasFailed_ = false;
        tokenLog.info("keys fetched",
                      {{"host", rules_.host}, {"keys", std::int64_t(fetched_.size())}});
    } catch (const std::exception& failure) {
        tokenLog.error(
            "the keys of token.keys_url could not be fetched",
            {{"host", rules_.host}, {"address", rules_.keysUrl}, {"problem", failure.what()}});
        const std::lock_guard lock{mutex_};
        hasFailed_ = true;
    }
}

Authority::Keys Authority::keys() const {
    const std::lock_guard lock{mutex_};
    Keys keys{own_, fromFile_};
    keys.foreign.insert(keys.foreign.end(), fetched_.begin(), fetched_.end());
    return keys;
}

// A key speaks for its issuer alone, so that nobody signs in another's name.
std::optional<Token> Authority::read(std::string_view compact, const Keys& keys,
                                     bool& isOwn) const {
    auto token = readToken(compact, keys.own);
    isOwn = token.has_value();
    if (isOwn) return token->issuer == rules_.host ? token : std::nullopt;
    token = readToken(compact, keys.foreign);
    return token && token->issuer == rules_.issuer ? token : std::nullopt;
}

Authority::Outcome Authority::check(std::string_view compact, WallTime now) const {
    bool isOwn = false;
    Outcome outcome;
    const Keys known = keys();
    const auto token = read(compact, known, isOwn);
    if (!token && !isOwn) {
        const std::string id = keyIdOf(compact);
        const auto is = [&id](const Key& key) { return key.id == id; };
        outcome.isKeyUnknown = !id.empty() &&
                               std::none_of(known.own.begin(), known.own.end(), is) &&
                               std::none_of(known.foreign.begin(), known.foreign.end(), is);
    }
    if (!token || !token->expires || *token->expires + leeway <= now ||
        (token->notBefore && *token->notBefore - leeway > now) ||
        (token->issued && *token->issued - leeway > now) ||
        !contains(token->audience, isOwn ? rules_.host : rules_.audience))
        return outcome;
    const std::string name = isOwn ? token->subject : token->claim(rules_.accountClaim);
    auto account =
        name.find('@') == std::string::npos ? Jid::make(name, rules_.host) : Jid::parse(name);
    if (!account || !account->isBare() || !account->hasLocal() || account->domain() != rules_.host)
        return outcome;
    Holder holder{std::move(*account)};
    if (isOwn) {
        holder.accountId = std::atoll(token->claim(std::string{idClaim}).c_str());
        holder.passwordMark = token->claim(std::string{markClaim});
        if (holder.accountId <= 0 || holder.passwordMark.empty()) return outcome;
    }
    holder.scopes = token->scopes;
    holder.expires = *token->expires;
    outcome.holder = std::move(holder);
    return outcome;
}

bool Authority::isForLogin(const Holder& holder) const {
    return rules_.scope.empty() || contains(holder.scopes, rules_.scope);
}

bool Authority::isFor(const Holder& holder, const AccountCredentials& stored) const {
    if (stored.isDisabled) return false;
    if (holder.accountId == 0) return true;  // others say whom it is for, and for how long
    if (holder.accountId != stored.account) return false;
    if (stored.keys.empty()) return holder.passwordMark == noPassword;
    const Keys known = keys();
    return !known.own.empty() &&
           std::any_of(stored.keys.begin(), stored.keys.end(), [&](const StoredKeys& each) {
               return equalInConstantTime(markOf(known.own.front(), each), holder.passwordMark);
           });
}

std::string Authority::markOf(const Key& own, const StoredKeys& stored) const {
    return encodeHex(hmac(Hash::Sha256, own.secret, "password " + stored.storedKey)).substr(0, 32);
}

std::string Authority::issue(const AccountCredentials& stored, const Jid& account,
                             std::string_view scopes, WallTime now, WallTime expires) const {
    const Keys known = keys();
    if (known.own.empty()) return {};
    const Key& own = known.own.front();
    // Keys of further hashes may be added to a password; those that it has stay as they are.
    const std::string mark =
        stored.keys.empty() ? std::string{noPassword} : markOf(own, stored.keys.front());
    JsonWriter claims;
    claims.open('{')
        .key("iss")
        .value(std::string_view{rules_.host})
        .key("aud")
        .value(std::string_view{rules_.host});
    claims.key("sub").value(std::string_view{account.text()}).key("scope").value(scopes);
    claims.key("iat").value(seconds(now)).key("exp").value(seconds(expires));
    claims.key("jti").value(std::string_view{randomId()});
    claims.key(idClaim).value(std::int64_t{stored.account});
    claims.key(markClaim).value(std::string_view{mark}).close('}');
    return signToken(own, claims.take());
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
