# One library libgemma3n from all rooms' objects (static, or shared with BUILD_SHARED_LIBS), and what find_package and
# pkg-config need to find it in an install tree.
include(CMakePackageConfigHelpers)

get_property(modules GLOBAL PROPERTY GEMMA3N_LIBRARY_MODULES)
set(objects)
foreach(module ${modules})
  list(APPEND objects $<TARGET_OBJECTS:${module}>)
endforeach()

add_library(gemma3n ${objects})
add_library(gemma3n::gemma3n ALIAS gemma3n)
set_target_properties(gemma3n PROPERTIES LINKER_LANGUAGE CXX VERSION ${PROJECT_VERSION}
                      SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR})
gemma3n_flags(gemma3n)
if(BUILD_SHARED_LIBS)
  target_link_options(gemma3n PRIVATE LINKER:--version-script=${PROJECT_SOURCE_DIR}/cmake/libgemma3n.map)
  set_target_properties(gemma3n PROPERTIES LINK_DEPENDS ${PROJECT_SOURCE_DIR}/cmake/libgemma3n.map)
endif()
target_compile_features(gemma3n INTERFACE cxx_std_20)
target_include_directories(gemma3n INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include>
                           $<BUILD_INTERFACE:${PROJECT_BINARY_DIR}/include>
                           $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
# A shared library keeps its dependencies to itself; a static one passes them on to the final link.
target_link_libraries(gemma3n PRIVATE Threads::Threads fmt::fmt simdjson::simdjson PkgConfig::GEMMA3N_MEDIA GIF::GIF
                      PkgConfig::GEMMA3N_HASH)

install(TARGETS gemma3n EXPORT gemma3nTargets
        ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR} LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/gemma3n DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(FILES ${PROJECT_BINARY_DIR}/include/gemma3n/version.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/gemma3n)
install(FILES ${PROJECT_SOURCE_DIR}/LICENSE ${PROJECT_SOURCE_DIR}/README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/gemma3n)
install(EXPORT gemma3nTargets NAMESPACE gemma3n:: DESTINATION ${package_dir})
configure_package_config_file(cmake/gemma3nConfig.cmake.in ${PROJECT_BINARY_DIR}/gemma3nConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/gemma3nConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/gemma3nConfig.cmake ${PROJECT_BINARY_DIR}/gemma3nConfigVersion.cmake
        DESTINATION ${package_dir})

# Paths from the .pc file itself, so that the tree can be moved.
file(RELATIVE_PATH pc_include /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p/${CMAKE_INSTALL_INCLUDEDIR})
# pkg-config has no target properties: a static library's own needs go on the line.
set(pc_libs_private "-lfmt -lsimdjson -lavformat -lavcodec -lswscale -lavutil -lsoxr -ljpeg -lpng -lgif -lwebpdemux -lwebp -lb2 -lstdc++ -lm -pthread")
if(NOT BUILD_SHARED_LIBS)
  set(pc_libs_static " ${pc_libs_private}")
endif()
configure_file(cmake/gemma3n.pc.in ${PROJECT_BINARY_DIR}/gemma3n.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/gemma3n.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
