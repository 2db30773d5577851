# One helper for each kind of target; everything is a property of the target.

# What every C++ target of Kiln has: include root, warnings, sanitizers. GCC 12 warns falsely of
# overlapping memcpy in std::string (its bug 105651).
function(kiln_target_defaults target)
  target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}" "${PROJECT_BINARY_DIR}")
  target_include_directories(${target} SYSTEM PRIVATE ${LLVM_INCLUDE_DIRS} ${MLIR_INCLUDE_DIRS})
  target_compile_options(${target} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Werror -Wno-unused-parameter -Wno-restrict -fno-rtti>)
  target_compile_definitions(${target} PRIVATE ${LLVM_DEFINITIONS_LIST})
  if(KILN_SANITIZE)
    target_compile_options(${target} PRIVATE -fsanitize=address,undefined -fno-sanitize=vptr -fno-omit-frame-pointer
      -Wno-maybe-uninitialized) # GCC 12 takes the checks themselves for reads
    target_link_options(${target} PRIVATE -fsanitize=address,undefined)
  endif()
endfunction()

# kiln_library(NAME sources… [LINK libs…] [TABLEGEN targets…]): a static library of the compiler.
function(kiln_library name)
  cmake_parse_arguments(ARG "" "" "LINK;DEPENDS" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
endfunction()

# kiln_tool(NAME sources… [LINK libs…]): an installed program.
function(kiln_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK})
  set_target_properties(${name} PROPERTIES BUILD_RPATH "${LLVM_LIBRARY_DIR}" INSTALL_RPATH "$ORIGIN/../lib;${LLVM_LIBRARY_DIR}")
  install(TARGETS ${name} RUNTIME DESTINATION bin)
endfunction()

# kiln_unit_test(NAME sources… [LINK libs…]): a GoogleTest program that lit runs.
function(kiln_unit_test name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  kiln_target_defaults(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} GTest::gtest_main)
  set_target_properties(${name} PROPERTIES BUILD_RPATH "${LLVM_LIBRARY_DIR}"
    RUNTIME_OUTPUT_DIRECTORY "${PROJECT_BINARY_DIR}/test/unit")
  add_dependencies(kiln-unit-tests ${name})
endfunction()
