// Everything but the drop-in for raw curl programs (curl.h) and the fmt formatters (format.hpp).
#pragma once

#include <ringlet/body.hpp>
#include <ringlet/body_reader.hpp>
#include <ringlet/connection_cache.hpp>
#include <ringlet/error.hpp>
#include <ringlet/events.hpp>
#include <ringlet/headers.hpp>
#include <ringlet/limits.hpp>
#include <ringlet/request.hpp>
#include <ringlet/response.hpp>
#include <ringlet/session.hpp>
#include <ringlet/settings.hpp>
#include <ringlet/socket.hpp>
