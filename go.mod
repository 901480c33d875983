module github.com/hooklatch/hooklatch

go 1.26
