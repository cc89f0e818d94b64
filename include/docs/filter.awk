# Doxygen's view of a header. Ours have plain comments; Doxygen wants marks that say what each is about:
# the first one of a file, and any with an empty line behind it, about the file; one that begins a line about what
# follows; one behind code about that code. What comes under "Not for use by hand" is left out. A struct that is only
# declared gets a body, or Doxygen would leave out its comment. No line is added, so that a warning tells the right one.

function end_comment(about_file) {
    if (about_file && held !~ /\/\* ----/) {
        sub(/\/\*/, comments == 1 ? "/**" : "/** @details", held)
        sub(/\*\/$/, "@file */", held)
    } else if (held !~ /\/\* ----/) {
        sub(/\/\*/, "/**", held)
    }
    if (held ~ /Not for use by hand/ && !hidden) {
        sub(/\/\*/, "/** @cond */ /*", held)
        hidden = 1
    }
    print held
    held = ""
}

# The line behind a comment that began a line.
held != "" && !inside {
    end_comment(comments == 1 || $0 == "")
    if ($0 ~ /^struct freshet[a-z0-9_]*;$/) {
        sub(/;/, " {};")
    }
}

!inside && /^[ \t]*\/\*/ {
    comments++
    inside = 1
    held = $0
    if ($0 ~ /\*\//) {
        inside = 0
    }
    next
}

held != "" {
    held = held "\n" $0
    if ($0 ~ /\*\//) {
        inside = 0
    }
    next
}

!inside && /\/\*/ {
    sub(/\/\*/, "/**<")
    inside = 1
}

inside && /\*\// {
    inside = 0
}

{ print }

END {
    if (hidden) {
        print "/** @endcond */"
    }
}
