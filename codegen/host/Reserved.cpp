//===- Reserved.cpp - names that C and C++ have taken ---------------------===//
#include "codegen/host/Reserved.h"

#include "llvm/ADT/SmallVector.h"
#include "llvm/ADT/StringExtras.h"
#include "llvm/ADT/StringSet.h"

using namespace llvm;

namespace kiln::host {

static constexpr StringLiteral keywords =
    "alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor "
    "bool "
    "break case catch char char8_t char16_t char32_t class co_await co_return co_yield compl "
    "concept "
    "const const_cast consteval constexpr constinit continue decltype default delete do double "
    "dynamic_cast else enum explicit export extern false float for friend goto if inline int long "
    "mutable namespace new noexcept not not_eq nullptr operator or or_eq private protected public "
    "reflexpr register reinterpret_cast requires restrict return short signed sizeof static "
    "static_assert static_cast struct switch synchronized template this thread_local throw true "
    "try "
    "typedef typeid typename typeof typeof_unqual union unsigned using virtual void volatile "
    "wchar_t "
    "while xor xor_eq";

static constexpr StringLiteral macros =
    "NULL EOF I NAN INFINITY HUGE_VAL BUFSIZ RAND_MAX EXIT_SUCCESS EXIT_FAILURE CLOCKS_PER_SEC "
    "FILENAME_MAX FOPEN_MAX L_tmpnam TMP_MAX SEEK_SET SEEK_CUR SEEK_END MB_CUR_MAX MB_LEN_MAX "
    "CHAR_BIT SCHAR_MIN SCHAR_MAX UCHAR_MAX CHAR_MIN CHAR_MAX SHRT_MIN SHRT_MAX USHRT_MAX INT_MIN "
    "INT_MAX UINT_MAX LONG_MIN LONG_MAX ULONG_MAX LLONG_MIN LLONG_MAX ULLONG_MAX SIZE_MAX "
    "PTRDIFF_MIN "
    "PTRDIFF_MAX WCHAR_MIN WCHAR_MAX WINT_MIN WINT_MAX SIG_ATOMIC_MIN SIG_ATOMIC_MAX M_PI M_E "
    "NDEBUG EDOM ERANGE EILSEQ SIGABRT SIGFPE SIGILL SIGINT SIGSEGV SIGTERM SIG_DFL SIG_ERR "
    "SIG_IGN "
    "linux unix i386 near far errno stdin stdout stderr assert complex imaginary offsetof va_arg "
    "va_copy va_end va_start setjmp noreturn math_errhandling TRUE FALSE";

/// Types of the header itself; a parameter of their name would hide them from the next one.
static constexpr StringLiteral types =
    "int8_t int16_t int32_t int64_t uint8_t uint16_t uint32_t uint64_t size_t ptrdiff_t intptr_t "
    "uintptr_t intmax_t uintmax_t max_align_t model";

static constexpr StringLiteral library =
    "abort abs accept access acos acosh alarm aligned_alloc alloca asctime asin asinh atan atan2 "
    "atanh "
    "atexit atof atoi atol atoll basename bind brk bsearch btowc cabs cacos calloc casin catan "
    "cbrt "
    "ccos ceil cexp chdir chmod chown cimag clearerr clock clog close closedir connect conj "
    "copysign "
    "cos cosh cpow cproj creal creat csin csqrt ctan ctime daemon difftime dirname div div_t "
    "dlclose "
    "dlerror dlopen dlsym dprintf drand48 dup dup2 endian environ erf erfc exec execl execv execve "
    "exit "
    "exp exp2 expm1 fabs fabsf fchmod fclose fcntl fdatasync fdim fdopen feof ferror fflush ffs "
    "fgetc "
    "fgetpos fgets file fileno floor flock fma fmax fmin fmod fopen fork fpclassify fprintf fputc "
    "fputs "
    "fread free freopen frexp fscanf fseek fsetpos fstat fsync ftell ftruncate ftw fwrite gamma "
    "getc "
    "getchar getcwd getenv getline getopt getpid gets gettimeofday glob gmtime htonl htons hypot "
    "iconv ilogb imaxabs imaxdiv index inet_addr ioctl isalnum isalpha isatty isblank iscntrl "
    "isdigit "
    "isfinite isgraph isinf islower isnan isnormal isprint ispunct isspace isupper isxdigit j0 j1 "
    "jn "
    "kill labs ldexp ldiv lfind lgamma link listen llabs llrint llround locale localeconv "
    "localtime "
    "log log10 log1p log2 logb login longjmp lrint lround lsearch lseek lstat main malloc mblen "
    "mbtowc "
    "memccpy memchr memcmp memcpy memmove memset mkdir mkfifo mkstemp mktemp mktime mlock mmap "
    "modf "
    "mount mprotect msync munmap nan nanosleep nearbyint nextafter nice ntohl ntohs open opendir "
    "pause "
    "pclose perror pipe poll popen pow pread printf putc putchar putenv puts pwrite qsort raise "
    "rand "
    "random read readdir readlink readv realloc realpath recv regcomp regexec remainder remove "
    "remquo "
    "rename reset rewind rindex rint rmdir round scalb scalbn scanf sched_yield select send setbuf "
    "setenv setlocale setvbuf shutdown sigaction signal signbit sigset_t sin sincos sinh sleep "
    "snprintf socket sprintf sqrt srand srandom sscanf stat std stpcpy strcasecmp strcat strchr "
    "strcmp "
    "strcoll strcpy strcspn strdup strerror strftime string strlen strncat strncmp strncpy strpbrk "
    "strrchr strspn strstr strtod strtof strtok strtol strtold strtoll strtoul strtoull strxfrm "
    "symlink "
    "sync syscall sysconf system tan tanh tee tgamma time time_t timegm times tmpfile tmpnam "
    "tolower "
    "toupper trunc truncate ttyname tzset umask umount uname ungetc unlink unsetenv usleep utime "
    "va_list "
    "vfork vfprintf vprintf vscanf vsnprintf vsprintf vsscanf wait waitpid wcscat wcschr wcscmp "
    "wcscpy "
    "wcslen wcstombs wctomb write writev y0 y1 yn div_t fpos_t FILE DIR "
    "kiln kiln_options kiln_status kiln_model kiln_entry kiln_tensor kiln_extent kiln_dimension "
    "kiln_launch kiln_check kiln_state kiln_profile_row kiln_executor "
    // Whose create, destroy, cancel and the like POSIX or C11 define.
    "aio cnd mtx mq pthread pthread_attr pthread_barrier pthread_cond pthread_key pthread_mutex "
    "pthread_rwlock pthread_spin sem thrd timer timerfd tss epoll memfd io_uring userfaultfd";

static StringSet<> setOf(std::initializer_list<StringRef> lists) {
  StringSet<> set;
  for (StringRef list : lists) {
    SmallVector<StringRef> names;
    list.split(names, ' ', -1, /*KeepEmpty=*/false);
    for (StringRef name : names)
      set.insert(name);
  }
  return set;
}

/// INT8_MAX, UINT64_C, KILN_OK, __x, _X.
static bool isOfReservedFamily(StringRef name) {
  bool upper = none_of(name, [](char c) { return isLower(c); });
  return name.starts_with("__") || (name.size() > 1 && name[0] == '_' && isUpper(name[1])) ||
         name.starts_with("KILN_") ||
         (upper && (name.starts_with("INT") || name.starts_with("UINT")) &&
          (name.ends_with("_MAX") || name.ends_with("_MIN") || name.ends_with("_C")));
}

bool isReservedParameter(StringRef name) {
  static const StringSet<> names = setOf({keywords, macros, types});
  return names.contains(name) || isOfReservedFamily(name) || name.starts_with("kiln_");
}

bool isReservedType(StringRef name) {
  static const StringSet<> names = setOf({library});
  return isReservedParameter(name) || names.contains(name);
}

} // namespace kiln::host
