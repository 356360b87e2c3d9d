// The routines of LAPACK and BLAS that lapack.cpp calls, for float and double under one name, from an
// OpenBLAS that the first call opens. Their meaning is in LAPACK's Users' Guide (Anderson et al., 1999).
// Arrays are column-major. Fortran passes by reference, and the lengths of texts as hidden arguments at the
// end.
#pragma once

#include <cstddef>
#include <type_traits>

#include "tapir/tensor/cpu/openblas.h"

namespace tapir::cpu::fortran {

#define TAPIR_LAPACK_DECLARE(T, p)                                                                          \
  void p##getrf_(const int* m, const int* n, T* a, const int* lda, int* pivots, int* info);                 \
  void p##getrs_(const char* trans, const int* n, const int* nrhs, const T* a, const int* lda,              \
                 const int* pivots, T* b, const int* ldb, int* info, size_t);                               \
  void p##potrf_(const char* uplo, const int* n, T* a, const int* lda, int* info, size_t);                  \
  void p##geqrf_(const int* m, const int* n, T* a, const int* lda, T* tau, T* work, const int* lwork,       \
                 int* info);                                                                                \
  void p##orgqr_(const int* m, const int* n, const int* k, T* a, const int* lda, const T* tau, T* work,     \
                 const int* lwork, int* info);                                                              \
  void p##gesdd_(const char* job, const int* m, const int* n, T* a, const int* lda, T* s, T* u,             \
                 const int* ldu, T* vt, const int* ldvt, T* work, const int* lwork, int* iwork, int* info,  \
                 size_t);                                                                                   \
  void p##syevd_(const char* job, const char* uplo, const int* n, T* a, const int* lda, T* w, T* work,      \
                 const int* lwork, int* iwork, const int* liwork, int* info, size_t, size_t);               \
  void p##trsm_(const char* side, const char* uplo, const char* trans, const char* diag, const int* m,      \
                const int* n, const T* alpha, const T* a, const int* lda, T* b, const int* ldb, size_t,     \
                size_t, size_t, size_t);                                                                    \
  void p##gels_(const char* trans, const int* m, const int* n, const int* nrhs, T* a, const int* lda, T* b, \
                const int* ldb, T* work, const int* lwork, int* info, size_t);                              \
  void p##gelsy_(const int* m, const int* n, const int* nrhs, T* a, const int* lda, T* b, const int* ldb,   \
                 int* jpvt, const T* rcond, int* rank, T* work, const int* lwork, int* info);               \
  void p##gelsd_(const int* m, const int* n, const int* nrhs, T* a, const int* lda, T* b, const int* ldb,   \
                 T* s, const T* rcond, int* rank, T* work, const int* lwork, int* iwork, int* info);        \
  void p##gelss_(const int* m, const int* n, const int* nrhs, T* a, const int* lda, T* b, const int* ldb,   \
                 T* s, const T* rcond, int* rank, T* work, const int* lwork, int* info);

extern "C" {
TAPIR_LAPACK_DECLARE(float, s)
TAPIR_LAPACK_DECLARE(double, d)
void openblas_set_num_threads(int n);
int openblas_get_parallel(void);
}
#undef TAPIR_LAPACK_DECLARE

// getrf<float>(...) and getrf<double>(...)
#define TAPIR_LAPACK_NAME(name)                                                               \
  template <class T, class... Args>                                                           \
  void name(Args... args) {                                                                   \
    constexpr bool kFloat = sizeof(T) == sizeof(float);                                       \
    using Routine = std::conditional_t<kFloat, decltype(&s##name##_), decltype(&d##name##_)>; \
    static const auto routine =                                                               \
        reinterpret_cast<Routine>(openblas_function(kFloat ? "s" #name "_" : "d" #name "_")); \
    routine(args...);                                                                         \
  }
TAPIR_LAPACK_NAME(getrf)
TAPIR_LAPACK_NAME(getrs)
TAPIR_LAPACK_NAME(potrf)
TAPIR_LAPACK_NAME(geqrf)
TAPIR_LAPACK_NAME(orgqr)
TAPIR_LAPACK_NAME(gesdd)
TAPIR_LAPACK_NAME(syevd)
TAPIR_LAPACK_NAME(trsm)
TAPIR_LAPACK_NAME(gels)
TAPIR_LAPACK_NAME(gelsy)
TAPIR_LAPACK_NAME(gelsd)
TAPIR_LAPACK_NAME(gelss)
#undef TAPIR_LAPACK_NAME

}  // namespace tapir::cpu::fortran
