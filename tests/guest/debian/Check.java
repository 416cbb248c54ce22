// SPDX-License-Identifier: GPL-2.0-or-later
// Hot loops, lambdas made at run time, faults that become exceptions, threads: see check.py jit.
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntUnaryOperator;

public class Check {
    static String absent;
    static int depth;

    static int mix(int count) {
        int state = 12345, digest = 0x811c9dc5;
        for (int i = 0; i < count; i++) {
            state = state * 1664525 + 1013904223;
            digest = (digest ^ (state >>> 9)) * 16777619;
            digest = Integer.rotateLeft(digest, 5);
        }
        return digest;
    }

    static int sieve(int limit) {
        boolean[] composite = new boolean[limit];
        int count = 0;
        for (int i = 2; i < limit; i++) {
            if (!composite[i]) {
                count++;
                for (long j = (long) i * i; j < limit; j += i) {
                    composite[(int) j] = true;
                }
            }
        }
        return count;
    }

    static String doubles(int count) {
        double x = 0.3, total = 0;
        for (int i = 1; i < count; i++) {
            x = 3.99 * x * (1 - x);
            total += Math.sqrt(x) / i;
        }
        return String.format("%016x", Double.doubleToLongBits(total));
    }

    static int generated() {
        int total = 0;
        for (int i = 0; i < 400; i++) {
            final int factor = i;
            IntUnaryOperator f = j -> factor * (j + 3) + j;
            for (int j = 0; j < 200; j++) {
                total += f.applyAsInt(j);
            }
        }
        return total;
    }

    static int deep(int n) {
        depth = n;
        return deep(n + 1) + 1;
    }

    // a compiled null check is a fault, a deep recursion runs into a guard page
    static int caught() {
        int count = 0;
        for (int i = 0; i < 30000; i++) {
            try {
                if (i % 1000 == 0) {
                    deep(0);
                } else if (i % 2 == 0) {
                    depth += absent.length();
                } else {
                    depth /= (i & 1) - 1;
                }
            } catch (NullPointerException | ArithmeticException | StackOverflowError error) {
                count++;
            }
        }
        return count;
    }

    static int threads() throws InterruptedException {
        AtomicInteger total = new AtomicInteger();
        Thread[] all = new Thread[4];
        for (int i = 0; i < all.length; i++) {
            all[i] = new Thread(() -> {
                for (int j = 0; j < 200000; j++) {
                    total.incrementAndGet();
                }
            });
            all[i].start();
        }
        for (Thread thread : all) {
            thread.join();
        }
        return total.get();
    }

    public static void main(String[] args) throws InterruptedException {
        System.out.println("mix " + Integer.toUnsignedString(mix(2000000)));
        System.out.println("sieve " + sieve(2000000));
        System.out.println("doubles " + doubles(1000000));
        System.out.println("generated " + Integer.toUnsignedString(generated()));
        System.out.println("caught " + caught());
        System.out.println("threads " + threads());
    }
}
