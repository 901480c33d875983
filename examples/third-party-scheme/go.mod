module acme.example/hooklatch-acme

go 1.26.0

require github.com/hooklatch/hooklatch v0.0.0

// Only for this repository: another one names a published version instead.
replace github.com/hooklatch/hooklatch => ../..
