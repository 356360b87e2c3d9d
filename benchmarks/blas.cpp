// OpenBLAS and oneDNN called directly: what the products of mm.cpp cost without a tensor library around them.
#include <cblas.h>
#include <dnnl.h>

#include <vector>

#include "bench.h"

int main(int argc, char** argv) {
  bench::Suite suite(argc, argv);
  for (int n : {64, 256, 1024}) {
    const auto elements = static_cast<size_t>(n) * static_cast<size_t>(n);
    suite.add("openblas/n" + std::to_string(n), [=] {
      std::vector<float> a(elements, 0.5f), b(elements, 0.25f), c(elements);
      return [=]() mutable {
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, n, n, n, 1.0f, a.data(), n, b.data(), n, 0.0f,
                    c.data(), n);
        return c[0];
      };
    });
    suite.add("onednn/n" + std::to_string(n), [=] {
      std::vector<float> a(elements, 0.5f), b(elements, 0.25f), c(elements);
      return [=]() mutable {
        dnnl_sgemm('N', 'N', n, n, n, 1.0f, a.data(), n, b.data(), n, 0.0f, c.data(), n);
        return c[0];
      };
    });
  }
  return suite.run();
}
