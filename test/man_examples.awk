# man_examples.awk - takes the examples out of a manual page.
#
# SPDX-License-Identifier: Apache-2.0
#
#     awk -v dir=DIR -f man_examples.awk PAGE
#
# A comment in the page says what the literal block after it is:
#
#     .\" program: NAME     a whole program: DIR/NAME.c
#     .\" object: NAME      a file that compiles: DIR/NAME.object.c
#     .\" prints: NAME      what that program prints: DIR/NAME.prints
#     .\" file: NAME        a file that programs read: DIR/NAME.file
#     .\" shown             something else
#
# A block without such a comment is told, as "PAGE:LINE".

/^\.\\" (program|object|prints|file): / {
    ending["program:"] = ".c"
    ending["object:"] = ".object.c"
    ending["prints:"] = ".prints"
    ending["file:"] = ".file"
    file = dir "/" $3 ending[$2]
    marked = 1
}

/^\.\\" shown$/ {
    file = "/dev/null"
    marked = 1
}

/^\.Bd -literal/ {
    if (!marked)
        print FILENAME ":" NR
    inside = 1
    next
}

/^\.Ed/ {
    inside = marked = 0
}

inside && marked {
    gsub(/\\e/, "\\")
    gsub(/\\&/, "")
    gsub(/\\-/, "-")
    print >file
}
