# fuzz.mk - builds a fuzz target with clang, in a directory of its own.
#
# SPDX-License-Identifier: Apache-2.0
#
# For GNU make, called by "make fuzz" with: srcdir, FUZZ_TARGET, the sources
# that targets take what they need from (FUZZ_LIBRARY, of all; FUZZ_CLIENT and
# FUZZ_SERVER, of the tools), FUZZ_CPPFLAGS and FUZZ_LIBS. What has not changed
# is not built again.

FUZZ_CC = clang
FUZZ_CFLAGS = -std=c11 -g -O1 -fno-omit-frame-pointer \
	-fsanitize=address,undefined -fno-sanitize-recover=all
dir = fuzz-build

objects_of = $(patsubst %.c,$(dir)/%.o,$(filter %.c,$(1)))
objects = $(call objects_of,$(FUZZ_LIBRARY) $(FUZZ_CLIENT) $(FUZZ_SERVER))

# Those of the server, and of the client: both have functions of one name.
of_server = line options_server request
of_client = hops options_client request
archives = $(if $(filter $(of_server),$(FUZZ_TARGET)),$(dir)/server.a) \
	$(if $(filter $(of_client),$(FUZZ_TARGET)),$(dir)/client.a) \
	$(dir)/library.a

$(dir)/$(FUZZ_TARGET): $(dir)/test/fuzz/$(FUZZ_TARGET).o $(archives)
	$(FUZZ_CC) $(FUZZ_CFLAGS) -fsanitize=fuzzer -o $@ $^ $(FUZZ_LIBS)

$(dir)/library.a: $(call objects_of,$(FUZZ_LIBRARY))
$(dir)/client.a: $(call objects_of,$(FUZZ_CLIENT))
$(dir)/server.a: $(call objects_of,$(FUZZ_SERVER))

$(dir)/%.a:
	rm -f $@
	ar cr $@ $^

$(dir)/%.o: $(srcdir)/%.c
	@mkdir -p $(@D)
	$(FUZZ_CC) $(FUZZ_CPPFLAGS) $(FUZZ_CFLAGS) -fsanitize=fuzzer-no-link \
	    -MMD -c -o $@ $<

-include $(objects:.o=.d) $(dir)/test/fuzz/$(FUZZ_TARGET).d
