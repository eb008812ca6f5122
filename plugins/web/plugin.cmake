# The page: Converse.js from npm, our own files, put together in the build folder.
#
# EPODE_WEB          AUTO (when npm is there), ON, OFF
# EPODE_WEB_OMEMO    whether the library for end-to-end encryption (GPL-3.0, a file of its own) is part of it
set(EPODE_WEB AUTO CACHE STRING "Build the web page: ON, OFF, or AUTO, when npm is there")
set_property(CACHE EPODE_WEB PROPERTY STRINGS AUTO ON OFF)
option(EPODE_WEB_OMEMO "Let the page have libomemo.js (GPL-3.0) for end-to-end encryption" ON)

find_program(EPODE_NODE NAMES node nodejs)
find_program(EPODE_NPM npm)
mark_as_advanced(EPODE_NODE EPODE_NPM)

set(EPODE_WEB_DESTINATION ${CMAKE_INSTALL_DATADIR}/epode/web)
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/client_folder.cpp PROPERTIES COMPILE_DEFINITIONS
  "EPODE_WEB_DIRECTORY=\"${CMAKE_INSTALL_FULL_DATADIR}/epode/web\";EPODE_WEB_SUBDIRECTORY=\"${EPODE_WEB_DESTINATION}\"")

if(EPODE_WEB STREQUAL "AUTO")
  if(NOT EPODE_NODE OR NOT EPODE_NPM)
    message(NOTICE "-- Without the web page: there is no npm (Debian: apt-get install npm). The server works without it.")
    return()
  endif()
elseif(NOT EPODE_WEB)
  message(STATUS "Without the web page: EPODE_WEB is off")
  return()
elseif(NOT EPODE_NODE OR NOT EPODE_NPM)
  message(FATAL_ERROR "EPODE_WEB is ON, but there is no npm (Debian: apt-get install npm).")
endif()

set(web_source ${CMAKE_CURRENT_LIST_DIR}/client)
set(web_npm ${CMAKE_BINARY_DIR}/web-npm)
set(web_modules ${web_npm}/node_modules)
set(web_folder ${CMAKE_BINARY_DIR}/web)
if(EPODE_WEB_OMEMO)
  set(web_flags "")
else()
  set(web_flags --without-omemo)
endif()
# What was chosen is a dependency, so that another choice makes the folder anew.
file(CONFIGURE OUTPUT ${web_npm}/flags CONTENT "${web_flags}\n")

file(MAKE_DIRECTORY ${web_npm})
add_custom_command(OUTPUT ${web_npm}/fetched
  COMMAND ${CMAKE_COMMAND} -E copy ${web_source}/package.json ${web_source}/package-lock.json ${web_npm}
  COMMAND ${EPODE_NPM} ci --ignore-scripts --no-audit --no-fund --loglevel=error
  COMMAND ${CMAKE_COMMAND} -E touch ${web_npm}/fetched
  DEPENDS ${web_source}/package.json ${web_source}/package-lock.json
  WORKING_DIRECTORY ${web_npm} VERBATIM
  COMMENT "Fetching the web client by npm (-DEPODE_WEB=OFF builds without it)")
file(GLOB_RECURSE web_files CONFIGURE_DEPENDS ${web_source}/files/*)
add_custom_command(OUTPUT ${web_folder}/version
  COMMAND ${EPODE_NODE} ${web_source}/assemble.mjs ${web_modules} ${web_folder} ${web_flags}
  DEPENDS ${web_npm}/fetched ${web_npm}/flags ${web_source}/assemble.mjs ${web_source}/index.html ${web_files}
  VERBATIM COMMENT "Putting the web page together")
add_custom_target(web_client ALL DEPENDS ${web_folder}/version)
add_dependencies(plugin_web web_client)
install(DIRECTORY ${web_folder}/ DESTINATION ${EPODE_WEB_DESTINATION})
install(FILES ${CMAKE_SOURCE_DIR}/NOTICE DESTINATION ${CMAKE_INSTALL_DOCDIR})
