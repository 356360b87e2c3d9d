// Linear algebra and products: what the table of ops (test_ops.cpp) doesn't say: that factors multiply to the
// matrix, what is refused and with which words, and that threads and other users of OpenBLAS don't matter.
#include <limits>

#include "support/tensors.h"

using namespace tapir;

namespace {

Tensor mT(const Tensor& x) { return x.transpose(-2, -1); }
Tensor identity_like(const Tensor& x) { return eye(x.size(-1), kFloat64).expand(x.sizes()); }

}  // namespace

TEST_CASE("factors multiply to the matrix, for tall, wide, square and batched ones in any layout") {
  manual_seed(1);
  for (const std::vector<int64_t>& sizes :
       {std::vector<int64_t>{5, 5}, {7, 3}, {3, 7}, {4, 6, 2}, {2, 3, 2, 6}, {1, 1}}) {
    const Tensor dense = random_f64(sizes);
    for (const Tensor& a : {dense, mT(mT(dense).contiguous()), stack({dense, dense}, -1).select(-1, 1)}) {
      for (const char* mode : {"reduced", "complete"}) {
        const auto [q, r] = linalg::qr(a, mode);
        CHECK_CLOSE(q.matmul(r), a, 1e-13);
        CHECK_CLOSE(mT(q).matmul(q), identity_like(mT(q).matmul(q)), 1e-13);
      }
      const auto [u, s, vt] = linalg::svd(a, false);
      CHECK_CLOSE((u * s.unsqueeze(-2)).matmul(vt), a, 1e-13);
      const auto [uf, sf, vtf] = linalg::svd(a);
      CHECK(uf.size(-1) == a.size(-2));
      CHECK(vtf.size(-2) == a.size(-1));
      CHECK_CLOSE(mT(uf).matmul(uf), identity_like(uf), 1e-13);
      CHECK_CLOSE(vtf.matmul(mT(vtf)), identity_like(vtf), 1e-13);
      const Tensor gram = a.matmul(mT(a)) + eye(a.size(-2), kFloat64);
      const Tensor l = linalg::cholesky(gram), up = linalg::cholesky(gram, true);
      CHECK_CLOSE(l.matmul(mT(l)), gram, 1e-13);
      CHECK_CLOSE(mT(up).matmul(up), gram, 1e-13);
      const auto [w, v] = linalg::eigh(gram);
      CHECK_CLOSE((v * w.unsqueeze(-2)).matmul(mT(v)), gram, 1e-13);
      CHECK_CLOSE(linalg::inv(gram).matmul(gram), identity_like(gram), 1e-12);
      CHECK_CLOSE(linalg::matrix_power(gram, -1), linalg::inv(gram), 1e-13);
    }
  }
}

TEST_CASE("only the triangle that is named is read") {
  Tensor a = f64({{4, 1}, {1, 3}});
  const Tensor expected = linalg::cholesky(a), values = linalg::eigvalsh(a);
  Tensor lower = a.clone(), upper = a.clone();
  lower[0][1].fill_(std::numeric_limits<double>::quiet_NaN());
  upper[1][0].fill_(std::numeric_limits<double>::quiet_NaN());
  CHECK_SAME(linalg::cholesky(lower), expected);
  CHECK_CLOSE(linalg::cholesky(upper, true), expected.t(), 1e-15);
  CHECK_CLOSE(linalg::eigvalsh(lower, "L"), values, 1e-15);
  CHECK_CLOSE(linalg::eigvalsh(upper, "U"), values, 1e-15);
  const Tensor b = ones({2, 1}, kFloat64);
  CHECK_SAME(linalg::solve_triangular(lower, b, false), f64({{0.25}, {0.25}}));
}

TEST_CASE("a matrix that has no inverse, factor or logarithm is named, with its place in the batch") {
  const Tensor batch = stack({eye(3, kFloat64), zeros({3, 3}, kFloat64), ones({3, 3}, kFloat64)});
  const auto says = [](const std::string& message, std::initializer_list<const char*> parts) {
    INFO(message);
    for (const char* part : parts) CHECK(contains(message, part));
  };
  says(message_of<ValueError>([&] { linalg::inv(batch); }),
       {"linalg.inv", "matrix 1 of the batch", "singular"});
  says(message_of<ValueError>([&] { linalg::inv(zeros({2, 2})); }), {"linalg.inv: the matrix is singular"});
  says(message_of<ValueError>([&] { linalg::solve(batch, ones({3}, kFloat64)); }),
       {"linalg.solve", "matrix 1"});
  says(message_of<ValueError>([&] { linalg::lu_factor(batch); }), {"linalg.lu_factor", "matrix 1"});
  says(message_of<ValueError>([&] { linalg::matrix_power(batch, -2); }), {"linalg.matrix_power", "matrix 1"});
  says(message_of<ValueError>([&] { linalg::cholesky(-batch); }),
       {"linalg.cholesky", "matrix 0", "not positive-definite", "order 1"});
  says(message_of<ValueError>([&] { linalg::lstsq(batch, batch, std::nullopt, "gels"); }),
       {"linalg.lstsq", "full rank", "gelsy"});
  Tensor infinite = batch.clone();
  infinite[2][0][0].fill_(std::numeric_limits<double>::infinity());
  says(message_of<ValueError>([&] { linalg::svd(infinite); }), {"linalg.svd", "matrix 2", "not finite"});
  CHECK(linalg::eigvalsh(infinite)[2].isnan().all().item<bool>());
  CHECK_SAME(linalg::eigvalsh(infinite)[0], ones({3}, kFloat64));

  // Determinants of singular matrices are fine, their logarithms are -inf.
  CHECK_SAME(linalg::det(batch), f64({1, 0, 0}));
  const auto [sign, logarithm] = linalg::slogdet(batch);
  CHECK_SAME(sign, f64({1, 0, 0}));
  CHECK(logarithm[1].item<double>() == -std::numeric_limits<double>::infinity());
  CHECK(logdet(f64({{-1, 0}, {0, 1}})).isnan().item<bool>());
}

TEST_CASE("a determinant that overflows has a logarithm") {
  const Tensor a = eye(40, kFloat64) * -1e10;
  CHECK(std::isinf(linalg::det(a).item<double>()));
  const auto [sign, logarithm] = linalg::slogdet(a);
  CHECK(sign.item<double>() == 1);
  CHECK(logarithm.item<double>() == Approx(400 * std::log(10.0)).epsilon(1e-14));
}

TEST_CASE("other dtypes and sizes are refused") {
  const Tensor ints = ones({2, 2}, kInt64), half = ones({2, 2}, kFloat16), wide = ones({2, 3});
  for (const auto& f : std::initializer_list<std::function<void(const Tensor&)>>{
           [](const Tensor& x) { linalg::inv(x); }, [](const Tensor& x) { linalg::det(x); },
           [](const Tensor& x) { linalg::slogdet(x); }, [](const Tensor& x) { linalg::cholesky(x); },
           [](const Tensor& x) { linalg::eigh(x); }, [](const Tensor& x) { linalg::solve(x, x); },
           [](const Tensor& x) { linalg::matrix_power(x, 3); }}) {
    CHECK_THROWS_AS(f(ints), DTypeError);
    CHECK_THROWS_AS(f(half), DTypeError);
    CHECK_THROWS_AS(f(wide), ShapeError);
    CHECK_THROWS_AS(f(ones({3})), ShapeError);
  }
  for (const auto& f : std::initializer_list<std::function<void(const Tensor&)>>{
           [](const Tensor& x) { linalg::svd(x); }, [](const Tensor& x) { linalg::qr(x); },
           [](const Tensor& x) { linalg::pinv(x); }, [](const Tensor& x) { linalg::matrix_rank(x); },
           [](const Tensor& x) { linalg::lstsq(x, x); }, [](const Tensor& x) { linalg::svdvals(x); }}) {
    CHECK_THROWS_AS(f(ints), DTypeError);
    CHECK_THROWS_AS(f(half), DTypeError);
    CHECK_THROWS_AS(f(ones({3})), ShapeError);
    CHECK_NOTHROW(f(wide));
  }
  CHECK_THROWS_AS(linalg::solve(ones({2, 2}), ones({3})), ShapeError);
  CHECK_THROWS_AS(linalg::solve(ones({2, 2}), ones({2}, kFloat64)), DTypeError);
  CHECK_THROWS_AS(linalg::solve(ones({3, 2, 2}), ones({4, 2, 2})), ShapeError);
  CHECK_THROWS_AS(linalg::qr(wide, "thin"), ValueError);
  CHECK_THROWS_AS(linalg::eigh(ones({2, 2}), "X"), ValueError);
  CHECK_THROWS_AS(linalg::lstsq(wide, wide, std::nullopt, "qr"), ValueError);
  CHECK_THROWS_AS(linalg::lu_factor(ones({2, 2}), false), ValueError);
  CHECK_THROWS_AS(linalg::matrix_norm(wide, 3), ValueError);
  CHECK_THROWS_AS(linalg::matrix_norm(wide, "max"), ValueError);
  CHECK_THROWS_AS(linalg::matrix_norm(wide, 1, {0, 0}), ValueError);
  CHECK_THROWS_AS(linalg::norm(ones({2, 3, 4}), Scalar(1)), ShapeError);
  CHECK_THROWS_AS(linalg::vector_norm(ones({2}, kInt64)), DTypeError);
}

TEST_CASE("derivatives that there are not are refused") {
  manual_seed(2);
  const Tensor tall = random_f64({4, 2}, -1, 1, true);
  CHECK_THROWS_AS(std::get<0>(linalg::svd(tall)).sum().backward(), AutogradError);
  CHECK_NOTHROW(std::get<1>(linalg::svd(tall)).sum().backward());
  CHECK_THROWS_AS(std::get<1>(linalg::qr(tall, "complete")).sum().backward(), AutogradError);
  CHECK_THROWS_AS(std::get<1>(linalg::qr(tall, "r")).sum().backward(), AutogradError);
  CHECK_THROWS_AS(linalg::lu_factor(tall), AutogradError);
  const Tensor singular = leaf({{1, 2}, {2, 4}});
  CHECK_CLOSE(autograd::grad({linalg::det(singular)}, {singular})[0], f64({{4, -2}, {-2, 1}}), 4e-15);
  CHECK_THROWS_AS(std::get<1>(linalg::slogdet(singular)).backward(), ValueError);
}

TEST_CASE("the determinants of singular matrices have a second derivative, and no third") {
  const auto first = [](const Tensor& x) { return autograd::grad({linalg::det(x)}, {x}, {}, true, true)[0]; };
  const Tensor singular = leaf({{1, 2}, {2, 4}});
  const Tensor g = first(singular);
  CHECK_CLOSE(g, f64({{4, -2}, {-2, 1}}), 4e-15);
  const Tensor h = autograd::grad({(g * f64({{1, 10}, {100, 1000}})).sum()}, {singular}, {}, true, true)[0];
  CHECK_CLOSE(h, f64({{1000, -100}, {-10, 1}}), 1e-12);
  CHECK_THROWS_AS(autograd::grad({h.sum()}, {singular}), AutogradError);

  for (const Tensor& x : {leaf({1, 2, 2}), leaf({0, 0, 0})}) {
    const Tensor slope = autograd::grad({linalg::det(outer(x, x))}, {x}, {}, true, true)[0];
    CHECK_CLOSE(slope, f64({0, 0, 0}), 1e-12);
    CHECK_CLOSE(autograd::grad({slope.sum()}, {x})[0], f64({0, 0, 0}), 1e-12);
  }

  // Of ranks 2 and 1, and regular, in one batch: against the cofactors of 3 x 3 matrices written out.
  const auto written = [](const Tensor& a) {
    const auto at = [&](int64_t i, int64_t j) { return a.select(-2, i).select(-1, j); };
    return at(0, 0) * (at(1, 1) * at(2, 2) - at(1, 2) * at(2, 1)) -
           at(0, 1) * (at(1, 0) * at(2, 2) - at(1, 2) * at(2, 0)) +
           at(0, 2) * (at(1, 0) * at(2, 1) - at(1, 1) * at(2, 0));
  };
  const Tensor a = f64({{{1, 2, 4}, {2, 4, 8}, {0, 1, 3}},
                        {{1, 2, 4}, {2, 4, 8}, {4, 8, 16}},
                        {{2, 1, 0}, {1, 3, 1}, {0, 1, 4}}})
                       .set_requires_grad(true);
  CHECK(linalg::det(a)[0].item<double>() == 0);
  const Tensor weights = arange(27, kFloat64).view({3, 3, 3});
  const auto second = [&](const Tensor& d) {
    const Tensor slope = autograd::grad({d.sum()}, {a}, {}, true, true)[0];
    return std::pair(slope.detach(), autograd::grad({(slope * weights).sum()}, {a})[0]);
  };
  const auto got = second(linalg::det(a)), expected = second(written(a));
  CHECK_CLOSE(got.first, expected.first, 1e-12);
  CHECK_CLOSE(got.second, expected.second, 1e-11);
}

TEST_CASE("the gradient of solve reads the factors once more, and knows when its inputs were changed") {
  manual_seed(3);
  Tensor a = random_f64({3, 3}), b = random_f64({3, 2}, -1, 1, true);
  Tensor x = linalg::solve(a, b);
  a.mul_(2);
  CHECK_THROWS_AS(x.sum().backward(), AutogradError);
  const Tensor c = random_f64({3, 3}, -1, 1, true);
  const Tensor y = linalg::solve(c, b);
  y.sum().backward();
  CHECK_CLOSE(b.grad(), linalg::solve(c.detach().t(), ones({3, 2}, kFloat64)), 1e-13);
  CHECK_THROWS_AS(y.sum().backward(), AutogradError);  // the graph was freed
}

TEST_CASE("the number of threads does not change a result") {
  manual_seed(4);
  const Tensor a = random_f64({64, 12, 12}), gram = a.matmul(mT(a));
  const int before = get_num_threads();
  set_num_threads(1);
  const Tensor inverse = linalg::inv(a), s = linalg::svdvals(a), l = linalg::eigvalsh(gram);
  set_num_threads(4);
  CHECK_SAME(linalg::inv(a), inverse);
  CHECK_SAME(linalg::svdvals(a), s);
  CHECK_SAME(linalg::eigvalsh(gram), l);
  set_num_threads(before);
}

TEST_CASE("least squares of matrices without full rank have the smallest norm") {
  const Tensor a = f64({{1, 1}, {1, 1}, {1, 1}}), b = f64({1, 2, 3});
  for (const char* driver : {"gelsy", "gelsd", "gelss"}) {
    const auto [x, residuals, rank, values] = linalg::lstsq(a, b, std::nullopt, driver);
    CHECK_CLOSE(x, f64({1, 1}), 1e-14);
    CHECK(residuals.numel() == 0);
    CHECK(rank.item<int64_t>() == 1);
    CHECK(values.numel() == (std::string(driver) == "gelsy" ? 0 : 2));
  }
  CHECK(linalg::matrix_rank(a).item<int64_t>() == 1);
  CHECK(linalg::matrix_rank(a, 10.0).item<int64_t>() == 0);
  CHECK_CLOSE(linalg::pinv(a).matmul(b), f64({1, 1}), 1e-14);
  CHECK_CLOSE(pinverse(a), full({2, 3}, 1.0 / 6, kFloat64), 1e-14);
}

TEST_CASE("older names give the same") {
  manual_seed(5);
  const Tensor a = random_f64({4, 3}), square = random_f64({3, 3}) + 3 * eye(3, kFloat64);
  const auto [u, s, v] = svd(a);
  CHECK_CLOSE((u * s).matmul(v.t()), a, 1e-13);
  CHECK(std::get<0>(a.svd(false)).size(1) == 4);
  const auto [none, values, nothing] = svd(a, true, false);
  CHECK_CLOSE(values, s, 1e-14);
  CHECK_SAME(none, zeros({4, 4}, kFloat64));
  CHECK_SAME(nothing, zeros({3, 3}, kFloat64));
  CHECK(std::get<0>(a.qr(false)).size(1) == 4);
  CHECK_SAME(square.inverse(), linalg::inv(square));
  CHECK_SAME(square.det(), linalg::det(square));
  CHECK_SAME(square.matrix_power(2), square.matmul(square));
  const Tensor gram = square.matmul(square.t()), l = gram.cholesky();
  CHECK_CLOSE(a.t().cholesky_solve(l), linalg::solve(gram, a.t()), 1e-12);
  CHECK_CLOSE(l.cholesky_inverse(), gram.inverse(), 1e-12);
}

TEST_CASE("einsum says what does not fit") {
  const Tensor a = ones({2, 3}), b = ones({2, 3});
  const auto says = [](const std::string& message, const char* part) {
    INFO(message);
    CHECK(contains(message, part));
  };
  says(message_of<ShapeError>([&] { einsum("ij,jk", {a, b}); }), "size 2");
  says(message_of<ValueError>([&] { einsum("ij,jk->iz", {a, b}); }), "'z' is in the output");
  says(message_of<ValueError>([&] { einsum("ij,ij->ii", {a, b}); }), "twice in the output");
  says(message_of<ValueError>([&] { einsum("i.j,ij", {a, b}); }), "a dot");
  says(message_of<ValueError>([&] { einsum("i1,ij", {a, b}); }), "no letter");
  says(message_of<ValueError>([&] { einsum("ij,ij", {a}); }), "for 2 operands, 1 were given");
  says(message_of<ShapeError>([&] { einsum("ijk,ij", {a, b}); }), "names 3 dimensions");
  says(message_of<ShapeError>([&] { einsum("ii", {a}); }), "einsum");
  says(message_of<DTypeError>([&] { einsum("ij,ij", {a, b.to(kFloat64)}); }), "same dtype");
  CHECK_THROWS_AS(einsum("", TensorList()), ValueError);
  CHECK_THROWS_AS(einsum("ij,ij,ij", {a, b, a}, {0, 1, 0}), ValueError);
  CHECK_THROWS_AS(einsum("ij,ij,ij", {a, b, a}, {0, 3, 0, 1}), ValueError);
}

TEST_CASE("einsum multiplies in the order of the path, and takes integers") {
  manual_seed(6);
  const Tensor a = random_f64({2, 3}), b = random_f64({3, 4}), c = random_f64({4, 2});
  const Tensor expected = a.mm(b).mm(c);
  CHECK_CLOSE(einsum("ij, jk, kl -> il", {a, b, c}), expected, 1e-14);
  CHECK_CLOSE(einsum("ij,jk,kl->il", {a, b, c}, {1, 2, 0, 1}), expected, 1e-14);
  CHECK_CLOSE(einsum("ij,jk,kl->il", {a, b, c}, {2, 0, 1, 0}), expected, 1e-14);
  CHECK_SAME(einsum("ij,kj->ik", {tensor({{1, 2}, {3, 4}}), tensor({{1, 1}})}), tensor({{3}, {7}}));
  CHECK_SAME(einsum("ii->i", {tensor({{1, 2}, {3, 4}})}), tensor({1, 4}));
}

TEST_CASE("products say what does not fit, and leave their inputs as they were") {
  CHECK_THROWS_AS(tensordot(ones({2, 3}), ones({4, 2}), 0, 0), ShapeError);
  CHECK_THROWS_AS(tensordot(ones({2, 3}), ones({4, 2}), 0, {0, 1}), ValueError);
  CHECK_THROWS_AS(tensordot(ones({2, 2}), ones({2, 2}), {0, 0}, {0, 1}), ValueError);
  CHECK_THROWS_AS(tensordot(ones({2}), ones({2}), 2, 0), IndexError);
  CHECK_SAME(tensordot(ones({2, 3}), ones({2, 3})), full({}, 6.0));
  CHECK_THROWS_AS(outer(ones({2, 2}), ones({2})), ShapeError);
  CHECK_THROWS_AS(cross(ones({2, 4}), ones({2, 4})), ShapeError);
  CHECK_THROWS_AS(linalg::cross(ones({3, 2}), ones({3, 2})), ShapeError);
  CHECK_THROWS_AS(trace(ones({3})), ShapeError);
  CHECK_THROWS_AS(inner(ones({3}), ones({4})), ShapeError);
  CHECK_THROWS_AS(cdist(ones({2, 3}), ones({2, 4})), ShapeError);
  CHECK_THROWS_AS(cdist(ones({2, 3}), ones({2, 3}), -1), ValueError);
  CHECK_THROWS_AS(chain_matmul({ones({2, 3}), ones({2, 3})}), ShapeError);
  CHECK_THROWS_AS(linalg::multi_dot({ones({2, 3})}), ValueError);
  CHECK_THROWS_AS(baddbmm(ones({3}), ones({2, 3, 4}), ones({2, 4, 2})), ShapeError);
  Tensor x = ones({2, 2});
  CHECK_THROWS_AS(x.addr_(ones({3}), ones({2})), ShapeError);
  CHECK_THROWS_AS(x.addmv_(ones({2, 2}), ones({2})), ShapeError);
  CHECK_SAME(x, ones({2, 2}));
  x.addmm_(ones({2, 3}), ones({3, 2}), 2, 0.5);
  CHECK_SAME(x, full({2, 2}, 3.5));
  CHECK_SAME(trace(tensor({{1, 2}, {3, 4}})), tensor(5));
  CHECK_SAME(kron(tensor({1, 2}), tensor({1, 10})), tensor({1, 10, 2, 20}));
  const Tensor nan = full({2, 2}, std::numeric_limits<float>::quiet_NaN());
  CHECK_SAME(addr(nan, ones({2}), ones({2}), 0), ones({2, 2}));
}

TEST_CASE("distances from a matrix product are those from differences, and have no gradient at zero") {
  manual_seed(7);
  const Tensor x = random_f64({30, 3}, -1, 1, true), y = random_f64({28, 3}, -1, 1, true);
  CHECK_CLOSE(cdist(x, y), cdist(x, y, 2, 2), 1e-12);
  const Tensor g = random_f64({30, 28});
  const auto fast = autograd::grad({cdist(x, y)}, {x, y}, {g});
  const auto exact = autograd::grad({norm(x.unsqueeze(1) - y, Scalar(2), -1, false)}, {x, y}, {g});
  CHECK_CLOSE(fast[0], exact[0], 1e-11);
  CHECK_CLOSE(fast[1], exact[1], 1e-11);
  const Tensor same = ones({2, 3}, TensorOptions(kFloat64).requires_grad(true));
  CHECK_SAME(autograd::grad({cdist(same, same.detach())}, {same}, {ones({2, 2}, kFloat64)})[0],
             zeros({2, 3}, kFloat64));
}
