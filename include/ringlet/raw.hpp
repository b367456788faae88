// The types behind Session::setopt() and getinfo(): libcurl's options and figures by their types.
#pragma once

#include <ringlet/export.hpp>

#include <curl/curl.h>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>

namespace ringlet::inline v1 {

/// A callable for one of libcurl's callback options, in the form libcurl wants: a C function and the pointer
/// it is given. One of these exists for each kind of callback; setopt() makes it from a lambda.
struct RawCallback {
    using Function = void (*)();
    CURLoption option{};       ///< the function's option
    CURLoption data_option{};  ///< the option of its data pointer
    Function function = nullptr;
    std::shared_ptr<void> data;  ///< the callable itself
};

/// One value of an option's type.
using RawValue = std::variant<std::nullptr_t, long long, double, std::string, const char*, void*,
                              RawCallback::Function, RawCallback, curl_slist*, curl_blob*>;

namespace raw {

/// Keeps what a callback threw, for perform() to throw again when libcurl's frames are left.
RINGLET_API void keep_exception() noexcept;

// The callbacks of libcurl that end in (or begin with) a data pointer. Signature: without that pointer.
enum class DataAt { first, last };

template <CURLoption Option, CURLoption Data, DataAt At, class Result, class... Args>
struct Kind {
    static constexpr CURLoption option = Option;
    static constexpr CURLoption data_option = Data;

    template <class F>
    static constexpr bool fits = std::is_invocable_r_v<Result, F&, Args...>;
    template <class F>
    static constexpr bool fits_with_data =
        At == DataAt::last ? std::is_invocable_r_v<Result, F&, Args..., void*>
                           : std::is_invocable_r_v<Result, F&, void*, Args...>;

    /// What ends the transfer.
    static Result refusal() noexcept {
        if constexpr (Option == CURLOPT_READFUNCTION) return CURL_READFUNC_ABORT;
        if constexpr (Option == CURLOPT_OPENSOCKETFUNCTION) return CURL_SOCKET_BAD;
        if constexpr (Option == CURLOPT_SSL_CTX_FUNCTION)
            return static_cast<Result>(CURLE_ABORTED_BY_CALLBACK);
        if constexpr (Option == CURLOPT_WRITEFUNCTION || Option == CURLOPT_HEADERFUNCTION) return Result{0};
        return static_cast<Result>(1);
    }

    template <class F>
    static Result call(void* data, Args... args) noexcept {
        try {
            return invoke<F>(data, args...);
        } catch (...) {
            keep_exception();
            return refusal();
        }
    }
    template <class F>
    static Result invoke(void* data, Args... args) {
        auto& f = *static_cast<F*>(data);
        if constexpr (fits<F>) {
            return f(args...);
        } else if constexpr (At == DataAt::last) {
            return f(args..., static_cast<void*>(nullptr));
        } else {
            return f(static_cast<void*>(nullptr), args...);
        }
    }
    template <class F>
    static Result data_last(Args... args, void* data) {
        return call<F>(data, args...);
    }
    template <class F>
    static Result data_first(void* data, Args... args) {
        return call<F>(data, args...);
    }

    template <class F>
    static RawCallback make(std::shared_ptr<F> callable) {
        RawCallback out{option, data_option, nullptr, nullptr};
        if constexpr (fits<F> || fits_with_data<F>) {
            if constexpr (At == DataAt::last) {
                out.function = reinterpret_cast<RawCallback::Function>(&data_last<F>);
            } else {
                out.function = reinterpret_cast<RawCallback::Function>(&data_first<F>);
            }
            out.data = std::move(callable);
        }
        return out;
    }
};

template <class... Kinds>
struct KindList {
    /// The callable as that option wants it; `function` is null if it does not fit.
    template <class F>
    static RawCallback make(CURLoption option, std::shared_ptr<F> callable) {
        RawCallback out{};
        (void)((Kinds::option == option && (out = Kinds::make(callable), true)) || ...);
        return out;
    }
    template <class F>
    static constexpr bool any = ((Kinds::template fits<F> || Kinds::template fits_with_data<F>) || ...);
};

using Callbacks = KindList<
    Kind<CURLOPT_WRITEFUNCTION, CURLOPT_WRITEDATA, DataAt::last, std::size_t, char*, std::size_t,
         std::size_t>,
    Kind<CURLOPT_READFUNCTION, CURLOPT_READDATA, DataAt::last, std::size_t, char*, std::size_t, std::size_t>,
    Kind<CURLOPT_HEADERFUNCTION, CURLOPT_HEADERDATA, DataAt::last, std::size_t, char*, std::size_t,
         std::size_t>,
    Kind<CURLOPT_XFERINFOFUNCTION, CURLOPT_XFERINFODATA, DataAt::first, int, curl_off_t, curl_off_t,
         curl_off_t, curl_off_t>,
    Kind<CURLOPT_DEBUGFUNCTION, CURLOPT_DEBUGDATA, DataAt::last, int, CURL*, curl_infotype, char*,
         std::size_t>,
    Kind<CURLOPT_SEEKFUNCTION, CURLOPT_SEEKDATA, DataAt::first, int, curl_off_t, int>,
    Kind<CURLOPT_SOCKOPTFUNCTION, CURLOPT_SOCKOPTDATA, DataAt::first, int, curl_socket_t, curlsocktype>,
    Kind<CURLOPT_OPENSOCKETFUNCTION, CURLOPT_OPENSOCKETDATA, DataAt::first, curl_socket_t, curlsocktype,
         curl_sockaddr*>,
    Kind<CURLOPT_CLOSESOCKETFUNCTION, CURLOPT_CLOSESOCKETDATA, DataAt::first, int, curl_socket_t>,
    Kind<CURLOPT_SSL_CTX_FUNCTION, CURLOPT_SSL_CTX_DATA, DataAt::last, CURLcode, CURL*, void*>,
    Kind<CURLOPT_PREREQFUNCTION, CURLOPT_PREREQDATA, DataAt::first, int, char*, char*, int, int>,
    Kind<CURLOPT_TRAILERFUNCTION, CURLOPT_TRAILERDATA, DataAt::last, int, curl_slist**>>;

template <class T>
concept Number = std::is_arithmetic_v<std::remove_cvref_t<T>> || std::is_enum_v<std::remove_cvref_t<T>>;
template <class T>
concept FunctionPointer =
    std::is_pointer_v<std::decay_t<T>> && std::is_function_v<std::remove_pointer_t<std::decay_t<T>>>;
template <class T>
concept Text =
    std::convertible_to<T, std::string_view> && !std::same_as<std::remove_cvref_t<T>, std::nullptr_t>;
template <class T>
concept Callable = std::is_class_v<std::remove_cvref_t<T>> && Callbacks::any<std::remove_cvref_t<T>>;

template <class T>
RawValue value_of(CURLoption option, T&& value) {
    using Plain = std::remove_cvref_t<T>;
    if constexpr (std::same_as<Plain, std::nullptr_t>) {
        return nullptr;
    } else if constexpr (std::is_floating_point_v<Plain>) {
        return static_cast<double>(value);  // no option takes one: refused with the option's name
    } else if constexpr (Number<T>) {
        return static_cast<long long>(value);
    } else if constexpr (FunctionPointer<T>) {
        return reinterpret_cast<RawCallback::Function>(+value);
    } else if constexpr (std::same_as<std::decay_t<T>, curl_slist*>) {
        return static_cast<curl_slist*>(value);
    } else if constexpr (std::same_as<std::decay_t<T>, curl_blob*>) {
        return static_cast<curl_blob*>(value);
    } else if constexpr (std::same_as<std::decay_t<T>, const char*> || std::same_as<std::decay_t<T>, char*>) {
        // A string option copies it; an object option (CURLOPT_POSTFIELDS, a data pointer) keeps the pointer,
        // as libcurl does.
        return static_cast<const char*>(value);
    } else if constexpr (Text<T>) {
        return std::string(std::string_view(value));
    } else if constexpr (Callable<T>) {
        return Callbacks::make(option, std::make_shared<Plain>(std::forward<T>(value)));
    } else {
        static_assert(std::is_pointer_v<std::decay_t<T>>, "no libcurl option takes a value of this type");
        return const_cast<void*>(static_cast<const void*>(value));
    }
}

/// Whether a value of type T can be meant for an option of that number range (checked where the option is
/// known at compile time).
template <CURLoption Option, class T>
constexpr bool acceptable() {
    constexpr int range = static_cast<int>(Option) / 10000 * 10000;
    if constexpr (range == CURLOPTTYPE_LONG || range == CURLOPTTYPE_OFF_T) {
        return Number<T> && !std::is_floating_point_v<std::remove_cvref_t<T>>;
    } else if constexpr (range == CURLOPTTYPE_FUNCTIONPOINT) {
        return FunctionPointer<T> || Callable<T> || std::same_as<std::remove_cvref_t<T>, std::nullptr_t>;
    } else {
        return !Number<T> && !FunctionPointer<T> && !Callable<T>;
    }
}

/// What CURLINFO_X gives: by the type that is part of its number.
template <CURLINFO Info>
struct InfoType {
    static constexpr int mask = static_cast<int>(Info) & CURLINFO_TYPEMASK;
    using type = std::conditional_t<
        mask == CURLINFO_STRING, std::string,
        std::conditional_t<
            mask == CURLINFO_LONG, long,
            std::conditional_t<mask == CURLINFO_DOUBLE, double,
                               std::conditional_t<mask == CURLINFO_OFF_T, curl_off_t, curl_slist*>>>>;
};
template <>
struct InfoType<CURLINFO_CERTINFO> {
    using type = curl_certinfo*;
};
template <>
struct InfoType<CURLINFO_PRIVATE> {
    using type = char*;
};
template <>
struct InfoType<CURLINFO_ACTIVESOCKET> {
    using type = curl_socket_t;
};
/// Of whatever type: every whole number is a std::int64_t here.
using Info =
    std::variant<std::monostate, std::string, std::int64_t, double, char*, curl_slist*, curl_certinfo*>;

template <class T>
T from_info(const Info& info) {
    using Held = std::conditional_t<std::is_integral_v<T>, std::int64_t, T>;
    const auto* value = std::get_if<Held>(&info);
    return value ? static_cast<T>(*value) : T{};
}

}  // namespace raw
}  // namespace ringlet::inline v1
