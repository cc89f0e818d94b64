# What the components of freshet stand on, as imported targets. The tree includes this file, and so does the installed
# freshetConfig.cmake: the exported targets name these, so both have to mean the same by them.

find_package(Threads QUIET)
find_package(PkgConfig QUIET)
find_package(OpenSSL 3.0 QUIET)
# crc32_combine_op()
find_package(ZLIB 1.2.12 QUIET)

# Sets `reason` if pkg-config finds none of the modules, and makes PkgConfig::<target> of the one that it finds.
macro(_freshet_pkg_config target modules package)
  if(NOT TARGET PkgConfig::${target})
    pkg_search_module(${target} QUIET IMPORTED_TARGET GLOBAL ${modules})
  endif()
  if(NOT TARGET PkgConfig::${target} AND NOT reason)
    string(REPLACE ";" "|" reason "${modules}")
    set(reason "needs ${reason}, which pkg-config does not find (Debian package ${package})")
  endif()
endmacro()

# From version 6 on msgpack-c has a CMake package of a name that is its own, and on Debian 13 a pkg-config file whose
# include path CMake refuses. Before, the CMake package is C++'s and needs Boost, but the pkg-config file is good; it has
# three names, depending on the version.
macro(_freshet_msgpack)
  find_package(msgpack-c QUIET CONFIG)
  if(TARGET msgpack-c AND NOT TARGET PkgConfig::freshet_msgpack)
    add_library(PkgConfig::freshet_msgpack INTERFACE IMPORTED GLOBAL)
    target_link_libraries(PkgConfig::freshet_msgpack INTERFACE msgpack-c)
    set(freshet_msgpack_MODULE_NAME msgpack-c)
  endif()
  _freshet_pkg_config(freshet_msgpack "msgpack-c;msgpackc;msgpack" "libmsgpack-c-dev or libmsgpack-dev")
endmacro()

# freshet_find(COMPONENT OUT): sets OUT to why the component can't be had, empty if it can.
function(freshet_find component out)
  set(reason "")
  if(NOT Threads_FOUND)
    set(reason "needs threads of POSIX, which the C compiler does not link")
  elseif(NOT PkgConfig_FOUND)
    set(reason "needs pkg-config (Debian package pkg-config)")
  elseif(NOT OpenSSL_FOUND)
    set(reason "needs OpenSSL 3.0 or newer (Debian package libssl-dev)")
  elseif(NOT ZLIB_FOUND)
    set(reason "needs zlib 1.2.12 or newer (Debian package zlib1g-dev)")
  elseif(component STREQUAL "core")
    _freshet_msgpack()
  elseif(component STREQUAL "redis")
    # Not find_package(hiredis): it raises an error on Debian 12.
    _freshet_pkg_config(freshet_hiredis hiredis libhiredis-dev)
    _freshet_pkg_config(freshet_libevent libevent_core libevent-dev)
  elseif(component STREQUAL "h2o")
    _freshet_pkg_config(freshet_libh2o libh2o-evloop libh2o-evloop-dev)
  endif()
  set(${out} "${reason}" PARENT_SCOPE)
  set(freshet_msgpack_MODULE_NAME "${freshet_msgpack_MODULE_NAME}" PARENT_SCOPE)
endfunction()
