# Debian packages: `cpack` in a build folder that was configured with -DCMAKE_INSTALL_PREFIX=/usr makes
#
#   libfreshet0.1    the shared libraries, as long as their soname is this
#   libfreshet-dev   headers, static libraries, what CMake and pkg-config read
#   freshet-bridge   freshet-bridge and freshet-agent, a socket and a service for systemd
#   freshet-bench    the load tester, if FRESHET_BENCH is on

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_CONTACT "The freshet authors <freshet@example.org>")
set(CPACK_PACKAGE_VENDOR freshet)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_COMPONENTS_GROUPING ONE_PER_GROUP)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
# Where dpkg-shlibdeps finds the library that the two others stand on.
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${PROJECT_BINARY_DIR}/lib)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS ON)
set(CPACK_DEBIAN_PACKAGE_GENERATE_SHLIBS_POLICY ">=")
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE
                                                WORLD_READ WORLD_EXECUTE)

# freshet_package(COMPONENT NAME SECTION SUMMARY DESCRIPTION): also its folder in share/doc, which Debian asks for.
function(freshet_package component name section summary description)
  string(TOUPPER ${component} id)
  set(CPACK_DEBIAN_${id}_PACKAGE_NAME ${name} PARENT_SCOPE)
  set(CPACK_DEBIAN_${id}_PACKAGE_SECTION ${section} PARENT_SCOPE)
  set(CPACK_DEBIAN_${id}_DESCRIPTION "${summary}\n${description}" PARENT_SCOPE)
  list(APPEND CPACK_COMPONENTS_ALL ${component})
  set(CPACK_COMPONENTS_ALL ${CPACK_COMPONENTS_ALL} PARENT_SCOPE)
  set(folder ${CMAKE_CURRENT_BINARY_DIR}/package/${name})
  configure_file(${PROJECT_SOURCE_DIR}/lib/package/changelog.in ${folder}/changelog @ONLY)
  freshet_install_compressed(${folder}/changelog ${CMAKE_INSTALL_DATADIR}/doc/${name} ${component})
  install(FILES ${PROJECT_SOURCE_DIR}/lib/package/copyright DESTINATION ${CMAKE_INSTALL_DATADIR}/doc/${name}
          COMPONENT ${component})
endfunction()

set(soname ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
freshet_package(library libfreshet${soname} libs "live state pushed to browsers, shared libraries"
"Live loaders produce the state of a route; browsers get it as server-sent
events, again after every publish to its topic, on any number of instances.")
freshet_package(development libfreshet-dev libdevel "live state pushed to browsers, development files"
"Headers, static libraries, and what CMake and pkg-config read.")
set(CPACK_DEBIAN_LIBRARY_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/lib/package/triggers)
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_DEPENDS "libfreshet${soname} (= ${PROJECT_VERSION}), libssl-dev, \
libmsgpack-c-dev | libmsgpack-dev, libhiredis-dev, libevent-dev, zlib1g-dev, libh2o-evloop-dev, pkg-config")
set(CPACK_DEBIAN_DEVELOPMENT_PACKAGE_SHLIBDEPS OFF)
if(TARGET freshet-bridge)
  freshet_package(bridge freshet-bridge web "live counter and boards over server-sent events"
"A server that shows a counter and boards in browsers, the same on every
instance that shares a Redis, and an agent that changes them.")
  set(CPACK_DEBIAN_BRIDGE_PACKAGE_SUGGESTS "redis-server | valkey-server")
  set(CPACK_DEBIAN_BRIDGE_PACKAGE_CONTROL_EXTRA ${PROJECT_SOURCE_DIR}/lib/package/postinst
      ${PROJECT_SOURCE_DIR}/lib/package/prerm)
endif()
if(FRESHET_BENCH AND TARGET freshet-bench)
  freshet_package(bench freshet-bench web "measures servers of event streams"
"Opens tens of thousands of event streams, publishes, and measures what
arrives when.")
endif()
include(CPack)
