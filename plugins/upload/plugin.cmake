# The program that looks at pictures: metadata leaves them without any library; small pictures need
# libjpeg-turbo, libpng and libwebp.
#
# EPODE_THUMBNAILS   AUTO (when all three are there), ON, OFF
set(EPODE_THUMBNAILS AUTO CACHE STRING "Build small pictures of uploads: ON, OFF, or AUTO, when libjpeg, libpng and libwebp are there")
set_property(CACHE EPODE_THUMBNAILS PROPERTY STRINGS AUTO ON OFF)

set(image_source ${CMAKE_CURRENT_LIST_DIR}/image)
add_executable(epode-image ${image_source}/main.cpp ${image_source}/metadata.cpp ${image_source}/sandbox.cpp)
target_link_libraries(epode-image PRIVATE ZLIB::ZLIB)
set_target_properties(epode-image PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
add_dependencies(plugin_upload epode-image)
install(TARGETS epode-image RUNTIME DESTINATION ${CMAKE_INSTALL_LIBEXECDIR}/epode)
set(image_facts "EPODE_IMAGE_PROGRAM=\"${CMAKE_INSTALL_FULL_LIBEXECDIR}/epode/epode-image\"")

if(EPODE_THUMBNAILS)
  find_package(JPEG)
  find_package(PNG)
  find_package(PkgConfig)
  if(PkgConfig_FOUND)
    pkg_check_modules(EPODE_WEBP IMPORTED_TARGET libwebp)
  endif()
  if(JPEG_FOUND AND PNG_FOUND AND EPODE_WEBP_FOUND)
    target_sources(epode-image PRIVATE ${image_source}/picture.cpp ${image_source}/thumbnail.cpp)
    target_link_libraries(epode-image PRIVATE JPEG::JPEG PNG::PNG PkgConfig::EPODE_WEBP)
    target_compile_definitions(epode-image PRIVATE EPODE_THUMBNAILS)
    list(APPEND image_facts EPODE_THUMBNAILS)
  elseif(NOT EPODE_THUMBNAILS STREQUAL "AUTO")
    message(FATAL_ERROR "EPODE_THUMBNAILS is ON, but libjpeg, libpng or libwebp is missing "
      "(Debian: apt-get install libjpeg62-turbo-dev libpng-dev libwebp-dev).")
  else()
    message(NOTICE "-- Without small pictures of uploads: libjpeg, libpng or libwebp is missing "
      "(Debian: apt-get install libjpeg62-turbo-dev libpng-dev libwebp-dev).")
  endif()
endif()
set_source_files_properties(${CMAKE_CURRENT_LIST_DIR}/picture_work.cpp
  DIRECTORY ${CMAKE_SOURCE_DIR}/plugins PROPERTIES COMPILE_DEFINITIONS "${image_facts}")
